/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * In front of OpenSBI's trap handler: take what crosses the domain border,
 * pass on everything else.
 */

#include "tsmd.h"
#include "tsmd_wrap.h"

_Static_assert((COVE_EID_COVH | 1) == COVE_EID_COVI && COVE_EID_COVH % 2 == 0,
	       "one test finds both");

struct sbi_trap_context *__real_sbi_trap_handler(struct sbi_trap_context *tcntx);
struct sbi_trap_context *__wrap_sbi_trap_handler(struct sbi_trap_context *tcntx);
TSMD_SAME_TYPE(sbi_trap_handler);

static bool from_hs_mode(const struct sbi_trap_context *tcntx)
{
	return (tcntx->regs.mstatus & (MSTATUS_MPP | MSTATUS_MPV)) ==
	       ((unsigned long)PRV_S << MSTATUS_MPP_SHIFT);
}

/**
 * OpenSBI has dealt with an interrupt. Whether the machine timer was among
 * those it found follows from mie: it stops the timer then. The cause does not
 * tell, because with AIA one trap serves all that is pending.
 */
static inline bool watchdog_due(unsigned long cause)
{
	return cause & MCAUSE_IRQ_MASK && tsmd_watchdog_period &&
	       !(csr_read(CSR_MIE) & MIP_MTIP);
}

/**
 * A trap while a TSM, or a guest of it, has the hart. Out of line, so that
 * the host's own traps do not pay for its frame.
 */
static struct sbi_trap_context *__attribute__((noinline))
tsm_trap(struct tsmd_hart *hart, struct sbi_trap_context *tcntx)
{
	unsigned long cause = tcntx->trap.cause;
	struct sbi_trap_context *next;

	/* HS-mode is the TSM itself. */
	if (!(cause & MCAUSE_IRQ_MASK) && from_hs_mode(tcntx))
		return cause == CAUSE_SUPERVISOR_ECALL ?
		       tsmd_tsm_call(hart, tcntx) : tsmd_tsm_fault(hart, tcntx);

	/*
	 * Interrupts are M-mode's business (timer, IPI, remote fence) on
	 * either side; traps of a guest or of U-mode go where OpenSBI sends
	 * them, with the CSRs of whoever is current.
	 */
	tsmd_sse_hold(hart);
	next = __real_sbi_trap_handler(tcntx);
	tsmd_sse_let_go(hart);

	/* The TSM died on another hart: this one must not go back into it. */
	if (hart->in_tsm && tsmd_is_dead(hart))
		return from_hs_mode(tcntx) ? tsmd_tsm_left(hart, tcntx) :
					     tsmd_give_up(hart);
	if (watchdog_due(cause) && tsmd_watchdog_look(hart))
		return tsmd_tsm_hang(hart, tcntx);
	return next;
}

static inline bool is_teecall(const struct tsmd_hart *hart,
			      const struct sbi_trap_context *tcntx)
{
	/*
	 * Cause 9 is an ECALL from HS-mode: U-mode and guests have their own.
	 * A hart of another OpenSBI domain has no PMP image of this driver.
	 */
	return tcntx->trap.cause == CAUSE_SUPERVISOR_ECALL &&
	       (tcntx->regs.a7 | 1) == COVE_EID_COVI && hart->seen;
}

struct sbi_trap_context *__wrap_sbi_trap_handler(struct sbi_trap_context *tcntx)
{
	struct sbi_trap_context *next;
	struct tsmd_hart *hart;
	unsigned long cause;

	if (!tsmd_hart_offset)
		return __real_sbi_trap_handler(tcntx);

	hart = tsmd_this_hart();
	if (hart->in_tsm)
		return tsm_trap(hart, tcntx);
	if (is_teecall(hart, tcntx))
		return tsmd_teecall(hart, tcntx);
	cause = tcntx->trap.cause;
	next = __real_sbi_trap_handler(tcntx);
	if (watchdog_due(cause))
		tsmd_watchdog_look(hart);
	return next;
}
