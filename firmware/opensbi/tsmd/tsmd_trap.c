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

struct sbi_trap_context *__wrap_sbi_trap_handler(struct sbi_trap_context *tcntx)
{
	unsigned long cause = tcntx->trap.cause;
	struct tsmd_hart *hart;

	/*
	 * Interrupts are M-mode's business (timer, IPI, remote fence) on
	 * either side; traps of a guest or of U-mode go where OpenSBI sends
	 * them, with the CSRs of whoever is current.
	 */
	if (tsmd.state == TSMD_ABSENT || cause & MCAUSE_IRQ_MASK ||
	    !from_hs_mode(tcntx))
		return __real_sbi_trap_handler(tcntx);

	hart = tsmd_this_hart();
	if (hart->in_tsm)
		return cause == CAUSE_SUPERVISOR_ECALL ?
		       tsmd_tsm_call(hart, tcntx) : tsmd_tsm_fault(hart, tcntx);

	if (cause == CAUSE_SUPERVISOR_ECALL &&
	    (tcntx->regs.a7 == COVE_EID_COVH || tcntx->regs.a7 == COVE_EID_COVI))
		return tsmd_teecall(hart, tcntx);

	return __real_sbi_trap_handler(tcntx);
}
