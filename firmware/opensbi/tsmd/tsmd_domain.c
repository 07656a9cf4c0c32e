/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the rest of the driver shares: the TSM domains, the harts, the rings.
 */

#include "tsmd.h"

struct tsmd_domain tsmd_domains[COVE_MAX_TSM_DOMAINS];
u32 tsmd_domain_count;
const struct sbi_domain *tsmd_host;
struct tsmd_hart tsmd_harts[COVE_MAX_HARTS];

/** Crossings as M-mode saw them, one ring a hart; the harness reads them */
struct tee_ring tsmd_rings[COVE_MAX_HARTS];

unsigned long tsmd_hart_offset;

long tsmd_turn_to(struct tsmd_hart *hart, unsigned long sdid)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++) {
		if (tsmd_domains[i].sdid != sdid)
			continue;
		hart->view = &hart->views[i];
		hart->domain = &tsmd_domains[i];
		hart->sdid = sdid;
		hart->event_tag = tsmd_event_tag(hart->id, sdid);
		return 0;
	}
	return SBI_ERR_NOT_SUPPORTED;
}

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
		tsmd_turn_to(&tsmd_harts[i], tsmd_domains[0].sdid);
		*(struct tsmd_hart **)sbi_scratch_offset_ptr(scratch,
			tsmd_hart_offset) = &tsmd_harts[i];
	}
	return 0;
}

bool tsmd_die(struct tsmd_hart *hart)
{
	/*
	 * Acquire and release: whoever sees the death also sees what led to
	 * it, and the report of the hart that wins is the only one.
	 */
	return __atomic_exchange_n(&hart->domain->state, TSMD_DEAD,
				   __ATOMIC_ACQ_REL) != TSMD_DEAD;
}

void tsmd_bury(struct tsmd_hart *hart, const char *why)
{
	/*
	 * Harts inside may wait for a lock that its holder will never give
	 * back: they leave at their next trap, which this brings about.
	 */
	tsmd_memory_poke_harts();
	sbi_printf("tsmd: TSM domain dead: SDID %u, hart %u: %s\n",
		   hart->domain->sdid, hart->id, why);
}
