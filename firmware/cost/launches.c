/* SPDX-License-Identifier: BSD-2-Clause */
/* A TVM from nothing to the end of it, with all of its memory in one call. */
#include "cost.h"

#define SOURCE	(POOL_BASE + POOL_SIZE)

/* A root entry's table, one below it, and one for every 2 MiB; none is shared. */
static uint64_t tables_for(uint64_t mib)
{
	return 2 + (mib + 1) / 2;
}

static uint64_t begin(const char *kind, int round, uint64_t mib)
{
	const uint64_t params[2] = { POOL_BASE, POOL_BASE + STATE_AT };
	uint64_t id;

	convert(kind, round, mib, POOL_BASE,
		TVM_PAGES + tables_for(mib) + mib * PAGES_A_MIB);
	id = call(kind, "create", round, mib, CREATE_TVM, (uint64_t)params,
		  sizeof(params));
	call(kind, "region", round, mib, ADD_TVM_MEMORY_REGION, id,
	     GUEST_MEMORY, mib * PAGES_A_MIB * PAGE);
	call(kind, "tables", round, mib, ADD_TVM_PAGE_TABLE_PAGES, id,
	     POOL_BASE + TVM_PAGES * PAGE, tables_for(mib));
	call(kind, "vcpu", round, mib, CREATE_TVM_VCPU, id, 0,
	     POOL_BASE + VCPU_AT);
	return id;
}

static uint64_t data_at(uint64_t mib)
{
	return POOL_BASE + (TVM_PAGES + tables_for(mib)) * PAGE;
}

static void end(const char *kind, int round, uint64_t mib, uint64_t id)
{
	call(kind, "destroy", round, mib, DESTROY_TVM, id);
	call(kind, "reclaim", round, mib, RECLAIM_PAGES, POOL_BASE,
	     TVM_PAGES + tables_for(mib) + mib * PAGES_A_MIB);
}

static void launch_measured(int round, uint64_t mib)
{
	const char *kind = "measured";
	uint64_t id = begin(kind, round, mib);

	call(kind, "pages", round, mib, ADD_TVM_MEASURED_PAGES, id, SOURCE,
	     data_at(mib), COVE_TVM_PAGE_4K, mib * PAGES_A_MIB, GUEST_MEMORY);
	call(kind, "finalize", round, mib, FINALIZE_TVM, id, GUEST_MEMORY);
	end(kind, round, mib, id);
}

static void launch_zero(int round, uint64_t mib)
{
	const char *kind = "zero";
	uint64_t id = begin(kind, round, mib);

	call(kind, "finalize", round, mib, FINALIZE_TVM, id, GUEST_MEMORY);
	call(kind, "pages", round, mib, ADD_TVM_ZERO_PAGES, id, data_at(mib),
	     COVE_TVM_PAGE_4K, mib * PAGES_A_MIB, GUEST_MEMORY);
	end(kind, round, mib, id);
}

void measure_launches(int round, uint64_t mib)
{
	launch_measured(round, mib);
	launch_zero(round, mib);
}
