/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Watchdog: a TSM that keeps a hart from the host is dead. How long it may is
 * the host's word, in the device tree. Only time in which an interrupt waits
 * that the host has enabled counts: a guest may run as long as nobody wants
 * the hart, and a TSM that is alive gives it back soon (rdsm-tsm.md section 3).
 * A hart that spins in HS-mode with nobody waiting is not found by that, and
 * nobody is kept from anything: the host's next tick or IPI begins the count.
 *
 * Several harts may be in the TSM, one holding what the others spin for. The
 * first whose time is over ends them all; the others say where they were when
 * they leave, so that whoever held the lock is among those named.
 *
 * With Sstc the host's timer is stimecmp, so the machine timer is free. It
 * looks at the hart a number of times a limit, and a crossing costs nothing
 * for it. A hart that was stopped for a while, as a virtual one may be, misses
 * one look only, because each sets the time of the next.
 */

#include <sbi/sbi_timer.h>

#include "tsmd.h"

/** Looks that must find the TSM in the same stay before its time is over */
#define LOOKS	8

unsigned long tsmd_watchdog_period;

void tsmd_watchdog_init(void)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++) {
		unsigned long period = tsmd_domains[i].watchdog / LOOKS;

		if (period && (!tsmd_watchdog_period ||
			       period < tsmd_watchdog_period))
			tsmd_watchdog_period = period;
	}
}

void tsmd_watchdog_start(struct tsmd_hart *hart)
{
	const struct sbi_timer_device *timer = sbi_timer_get_device();

	/* Without Sstc the machine timer is the host's. */
	if (!tsmd_watchdog_period || !hart->has_sstc || !timer ||
	    !timer->timer_event_start)
		return;
	timer->timer_event_start(csr_read(CSR_TIME) + tsmd_watchdog_period);
	csr_set(CSR_MIE, MIP_MTIP);
}

/* The host's own: those of a guest are nobody's wait for the hart. */
#define HOST_INTERRUPTS	(MIP_SSIP | MIP_STIP | MIP_SEIP)

/**
 * A host that does not run yet waits for the TSM anyway. mip and mie, because
 * QEMU reads sip.STIP as zero where there is Sstc: its rmw_mvip64() means
 * mvip.STIP, which is no alias of mip.STIP then, and serves reads of sip too.
 */
static bool host_waits(const struct tsmd_hart *hart)
{
	return hart->in_tsm &&
	       (hart->booting ||
		csr_read(CSR_MIP) & csr_read(CSR_MIE) & HOST_INTERRUPTS);
}

/**
 * Number of the call or resumption that the TSM is at, never 0. It is not
 * counted when it happens, where every instruction is paid on every call, but
 * found in the event ring; what the ring has forgotten is one long stay.
 */
static unsigned long stay_of(const struct tsmd_hart *hart)
{
	const struct tee_ring *ring = hart->ring;
	unsigned long at = ring->head;
	unsigned int i;

	for (i = 0; i < TEE_RING_EVENTS && at; i++, at--) {
		u16 kind = ring->events[(at - 1) % TEE_RING_EVENTS].kind;

		if (kind == TEE_EVENT_TEECALL || kind == TEE_EVENT_TEERESUME ||
		    kind == TEE_EVENT_TSM_BOOT)
			return at;
	}
	return -1UL;
}

bool tsmd_watchdog_look(struct tsmd_hart *hart)
{
	unsigned long limit = hart->domain->watchdog;
	unsigned long stay = 0;

	tsmd_watchdog_start(hart);
	if (limit && hart->has_sstc && host_waits(hart))
		stay = stay_of(hart);
	if (!stay || stay != hart->watched) {
		hart->watched = stay;
		hart->looks = 0;
		return false;
	}
	/* LOOKS of them, or more where another domain's limit is shorter. */
	return ++hart->looks * tsmd_watchdog_period + LOOKS > limit;
}
