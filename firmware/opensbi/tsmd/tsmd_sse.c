/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * SSE events are the host's. One taken while the TSM is current would run the
 * host's handler with the TSM's view of memory, so they wait until the host
 * is back. OpenSBI delivers events in one place, at the end of its trap
 * handler: SSE is masked around that handler, and a call without such a trap
 * pays nothing.
 */

#include "tsmd.h"

/* Absent from OpenSBI v1.5, where nothing needs to be masked. */
int __attribute__((weak)) sbi_sse_hart_mask(void);
int __attribute__((weak)) sbi_sse_hart_unmask(void);
void __attribute__((weak))
sbi_sse_process_pending_events(struct sbi_trap_regs *regs);

void tsmd_sse_hold(struct tsmd_hart *hart)
{
	hart->sse_held = sbi_sse_hart_mask && !sbi_sse_hart_mask();
}

void tsmd_sse_let_go(struct tsmd_hart *hart)
{
	if (!hart->sse_held)
		return;
	sbi_sse_hart_unmask();
	hart->sse_held = false;
	/* Whatever the trap was, an event may have come with it. */
	hart->sse_waits = true;
}

void tsmd_sse_deliver(struct tsmd_hart *hart)
{
	hart->sse_waits = false;
	sbi_sse_process_pending_events(&hart->host.regs);
}
