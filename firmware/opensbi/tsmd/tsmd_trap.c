/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * In front of OpenSBI's trap handler: take what crosses the domain border,
 * pass on everything else.
 */

#include "tsmd.h"

struct sbi_trap_context *__real_sbi_trap_handler(struct sbi_trap_context *tcntx);
struct sbi_trap_context *__wrap_sbi_trap_handler(struct sbi_trap_context *tcntx);

static inline bool from_hs_mode(const struct sbi_trap_context *tcntx)
{
	return (tcntx->regs.mstatus & (MSTATUS_MPP | MSTATUS_MPV)) ==
	       ((unsigned long)PRV_S << MSTATUS_MPP_SHIFT);
}

static struct sbi_trap_context *pass_on(struct tsmd_hart *hart,
					struct sbi_trap_context *tcntx)
{
	struct sbi_trap_context *next = __real_sbi_trap_handler(tcntx);

	/* The TSM died on another hart: this one must not go back into it. */
	if (hart->in_tsm && tsmd.state == TSMD_DEAD)
		return tsmd_give_up(hart);
	return next;
}

struct sbi_trap_context *__wrap_sbi_trap_handler(struct sbi_trap_context *tcntx)
{
	unsigned long cause = tcntx->trap.cause;
	struct tsmd_hart *hart;

	/*
	 * Interrupts are M-mode's business (timer, IPI, remote fence) on
	 * either side; traps of a guest or of U-mode go where OpenSBI sends
	 * them, with the CSRs of whoever is current.
	 */
	if (tsmd.state == TSMD_ABSENT)
		return __real_sbi_trap_handler(tcntx);
	hart = tsmd_this_hart();
	if (cause & MCAUSE_IRQ_MASK || !from_hs_mode(tcntx))
		return pass_on(hart, tcntx);
	if (hart->in_tsm)
		return cause == CAUSE_SUPERVISOR_ECALL ?
		       tsmd_tsm_call(hart, tcntx) : tsmd_tsm_fault(hart, tcntx);

	/* A hart of another OpenSBI domain has no PMP image of this driver. */
	if (cause == CAUSE_SUPERVISOR_ECALL && hart->seen &&
	    (tcntx->regs.a7 == COVE_EID_COVH || tcntx->regs.a7 == COVE_EID_COVI))
		return tsmd_teecall(hart, tcntx);

	return __real_sbi_trap_handler(tcntx);
}
