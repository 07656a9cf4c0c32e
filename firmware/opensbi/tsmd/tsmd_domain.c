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

u32 tsmd_this_index(void)
{
	return sbi_hartid_to_hartindex(current_hartid());
}

struct tsmd_hart *tsmd_this_hart(void)
{
	return &tsmd_harts[tsmd_this_index()];
}

void tsmd_event(struct tsmd_hart *hart, u32 kind, long error,
		unsigned long value, unsigned long aux)
{
	struct tee_ring *ring = &tsmd_rings[hart->index];
	struct tee_event *e = &ring->events[ring->head % TEE_RING_EVENTS];

	e->time = csr_read(CSR_TIME);
	e->instret = csr_read(CSR_MINSTRET);
	e->kind = kind;
	e->sdid = hart->in_tsm ? tsmd.sdid : 0;
	e->hart = sbi_hartindex_to_hartid(hart->index);
	e->eid = hart->eid;
	e->fid = hart->fid;
	e->error = error;
	e->value = value;
	e->aux = aux;

	/* A reader of live memory must not see the count before the event. */
	smp_wmb();
	ring->head++;
}

void tsmd_kill(struct tsmd_hart *hart, const char *why)
{
	tsmd.state = TSMD_DEAD;
	sbi_printf("tsmd: TSM domain dead: SDID %u, hart %u: %s\n", tsmd.sdid,
		   sbi_hartindex_to_hartid(hart->index), why);
}
