/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the rest of the driver shares: the TSM domain, the harts, the rings.
 */

#include "tsmd.h"

struct tsmd_domain tsmd;
struct tsmd_hart tsmd_harts[COVE_MAX_HARTS];

/** Crossings as M-mode saw them, one ring a hart; the harness reads them */
struct tee_ring tsmd_rings[COVE_MAX_HARTS];

unsigned long tsmd_hart_offset;

int tsmd_domain_init(void)
{
	struct sbi_scratch *scratch;
	u32 i;

	tsmd_hart_offset = sbi_scratch_alloc_offset(sizeof(struct tsmd_hart *));
	if (!tsmd_hart_offset)
		return SBI_ENOMEM;

	for (i = 0; i < COVE_MAX_HARTS; i++) {
		tsmd_harts[i].index = i;
		tsmd_harts[i].ring = &tsmd_rings[i];
		tsmd_rings[i].version = TEECALL_ABI_VERSION;
		tsmd_rings[i].capacity = TEE_RING_EVENTS;
		tsmd_rings[i].magic = COVE_RING_MAGIC;
		scratch = sbi_hartindex_to_scratch(i);
		if (!scratch)
			continue;
		tsmd_harts[i].id = sbi_hartindex_to_hartid(i);
		tsmd_harts[i].event_tag = tsmd_event_tag(tsmd_harts[i].id,
							 tsmd.sdid);
		*(struct tsmd_hart **)sbi_scratch_offset_ptr(scratch,
			tsmd_hart_offset) = &tsmd_harts[i];
	}
	return 0;
}

bool tsmd_die(void)
{
	/*
	 * Acquire and release: whoever sees the death also sees what led to
	 * it, and the report of the hart that wins is the only one.
	 */
	return __atomic_exchange_n(&tsmd.state, TSMD_DEAD,
				   __ATOMIC_ACQ_REL) != TSMD_DEAD;
}

void tsmd_bury(struct tsmd_hart *hart, const char *why)
{
	/*
	 * Harts inside may wait for a lock that its holder will never give
	 * back: they leave at their next trap, which this brings about.
	 */
	tsmd_memory_poke_harts();
	sbi_printf("tsmd: TSM domain dead: SDID %u, hart %u: %s\n", tsmd.sdid,
		   hart->id, why);
}
