/* SPDX-License-Identifier: BSD-2-Clause */
/* TVMs that are made and destroyed while others live. */
#include "cost.h"

#define TVMS		64UL
#define TABLES		4UL
#define EACH		(TVM_PAGES + TABLES)

static uint64_t place_of(uint64_t number)
{
	return POOL_BASE + number * EACH * PAGE;
}

/* @param live TVMs, this one included */
static uint64_t create(int round, uint64_t live)
{
	uint64_t place = place_of(live - 1);
	const uint64_t params[2] = { place, place + STATE_AT };
	const char *kind = "live";
	uint64_t id;

	id = call(kind, "create", round, live, CREATE_TVM, (uint64_t)params,
		  sizeof(params));
	call(kind, "region", round, live, ADD_TVM_MEMORY_REGION, id,
	     GUEST_MEMORY, PAGE);
	call(kind, "tables", round, live, ADD_TVM_PAGE_TABLE_PAGES, id,
	     place + TVM_PAGES * PAGE, TABLES);
	call(kind, "vcpu", round, live, CREATE_TVM_VCPU, id, 0,
	     place + VCPU_AT);
	call(kind, "finalize", round, live, FINALIZE_TVM, id, GUEST_MEMORY);
	return id;
}

void measure_live(int round)
{
	uint64_t ids[TVMS], live;

	convert("pool", round, TVMS, POOL_BASE, TVMS * EACH);
	for (live = 1; live <= TVMS; live++)
		ids[live - 1] = create(round, live);
	for (live = TVMS; live; live--)
		call("live", "destroy", round, live, DESTROY_TVM,
		     ids[live - 1]);
	call("pool", "reclaim", round, TVMS, RECLAIM_PAGES, POOL_BASE,
	     TVMS * EACH);
}
