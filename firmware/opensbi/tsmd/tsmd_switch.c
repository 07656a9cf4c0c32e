/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The domain switch itself. The trap vector restores registers from the frame
 * that the trap handler returns, so returning the other side's frame is the
 * switch of the general registers; this file adds the CSRs and the isolation.
 */

#include "tsmd.h"

/* Absent from OpenSBI v1.5, where nothing needs to be masked. */
int __attribute__((weak)) sbi_sse_hart_mask(void);
int __attribute__((weak)) sbi_sse_hart_unmask(void);
void __attribute__((weak)) sbi_sse_process_pending_events(struct sbi_trap_regs *regs);

/**
 * An SSE event taken while the TSM is current would run the host's handler
 * with the TSM's view of memory.
 */
static void mask_sse(struct tsmd_hart *hart)
{
	hart->sse_masked_here = sbi_sse_hart_mask && !sbi_sse_hart_mask();
}

static void unmask_sse(struct tsmd_hart *hart)
{
	if (!hart->sse_masked_here)
		return;
	sbi_sse_hart_unmask();
	/* Events that arrived meanwhile enter the host's handler now. */
	sbi_sse_process_pending_events(&hart->host.regs);
}

#define SAVE(name, number, value)	\
	hart->csrs.name = csr_swap(number, value);

static void save_csrs(struct tsmd_hart *hart)
{
	TSMD_CSRS_S(SAVE)
	if (hart->has_h) {
		if (hart->has_sstc) {
			TSMD_CSRS_VSTC(SAVE)
		}
		TSMD_CSRS_H(SAVE)
		TSMD_CSRS_HGOVERN(SAVE)
	}
	TSMD_CSRS_M(SAVE)
}

#define RESTORE(name, number, value)	\
	csr_write(number, hart->csrs.name);

static void restore_csrs(struct tsmd_hart *hart)
{
	/*
	 * menvcfg first: with its STCE and the like as the host had them, the
	 * host's henvcfg and vstimecmp are writable again.
	 */
	TSMD_CSRS_M(RESTORE)
	TSMD_CSRS_S(RESTORE)
	if (hart->has_h) {
		TSMD_CSRS_HGOVERN(RESTORE)
		TSMD_CSRS_H(RESTORE)
		if (hart->has_sstc) {
			TSMD_CSRS_VSTC(RESTORE)
		}
	}
}

/**
 * Copy a register frame. Word by word and unrolled: the library's memcpy goes
 * byte by byte, and this runs on every TEECALL.
 */
static inline void copy_regs(struct sbi_trap_regs *to,
			     const struct sbi_trap_regs *from)
{
	const unsigned long *src = (const unsigned long *)from;
	unsigned long *dst = (unsigned long *)to;
	unsigned int i;

#pragma GCC unroll 36
	for (i = 0; i < sizeof(*to) / sizeof(*dst); i++) {
		dst[i] = src[i];
		/* Keeps the compiler from making a memcpy call of the loop. */
		__asm__ __volatile__("" : : : "memory");
	}
}

static void set_tsm_frame(struct tsmd_hart *hart,
			  const struct sbi_trap_regs *regs)
{
	struct sbi_trap_regs *tsm = &hart->tsm.regs;

	tsm->a0 = regs->a0;
	tsm->a1 = regs->a1;
	tsm->a2 = regs->a2;
	tsm->a3 = regs->a3;
	tsm->a4 = regs->a4;
	tsm->a5 = regs->a5;
	tsm->a6 = regs->a6;
	tsm->a7 = regs->a7;
	tsm->t0 = hart->interrupted ? COVE_TEECALL_RESUME : 0;
	tsm->tp = hart->index;
	tsm->mepc = tsmd.entry;
	/*
	 * HS-mode with everything else at zero: interrupts off, no FP, no
	 * vectors, no memory tricks (SUM, MXR, MPRV) left over from the host.
	 */
	tsm->mstatus = (regs->mstatus & (MSTATUS_UXL | MSTATUS_SXL)) |
		       ((unsigned long)PRV_S << MSTATUS_MPP_SHIFT);
}

struct sbi_trap_context *tsmd_enter(struct tsmd_hart *hart,
				    const struct sbi_trap_regs *regs)
{
	set_tsm_frame(hart, regs);
	copy_regs(&hart->host.regs, regs);
	mask_sse(hart);
	save_csrs(hart);
	hart->in_tsm = true;
	/* Last, with fences that also cover the change of satp and hgatp. */
	tsmd_pmp_select(hart, hart->cfg_tsm);
	return &hart->tsm;
}

struct sbi_trap_context *tsmd_leave(struct tsmd_hart *hart)
{
	restore_csrs(hart);
	hart->in_tsm = false;
	tsmd_pmp_select(hart, hart->cfg_host);
	unmask_sse(hart);
	return &hart->host;
}
