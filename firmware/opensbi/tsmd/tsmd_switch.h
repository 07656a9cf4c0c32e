/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The domain switch itself, inline because every instruction of it is paid on
 * every call. The general registers are in the frames of struct tsmd_hart;
 * this adds the CSRs and the isolation.
 */
#ifndef TSMD_SWITCH_H
#define TSMD_SWITCH_H

#include "tsmd.h"

/* Absent from OpenSBI v1.5, where tsmd_guard.c lets no event be registered. */
int __attribute__((weak)) sbi_sse_hart_mask(void);
int __attribute__((weak)) sbi_sse_hart_unmask(void);
void __attribute__((weak)) sbi_sse_process_pending_events(struct sbi_trap_regs *regs);

/**
 * An SSE event taken while the TSM is current would run the host's handler
 * with the TSM's view of memory.
 */
static inline void mask_sse(struct tsmd_hart *hart)
{
	hart->sse_masked_here = sbi_sse_hart_mask && !sbi_sse_hart_mask();
}

static inline void unmask_sse(struct tsmd_hart *hart)
{
	if (!hart->sse_masked_here)
		return;
	sbi_sse_hart_unmask();
	/* Events that arrived meanwhile enter the host's handler now. */
	sbi_sse_process_pending_events(&hart->host.regs);
}

#define SAVE(name, number, value)	\
	hart->csrs.name = csr_swap(number, value);

static inline void save_optional_csrs(struct tsmd_hart *hart)
{
	if (hart->has_stateen) {
		TSMD_CSRS_STATEEN(SAVE)
		if (hart->has_h) {
			TSMD_CSRS_HSTATEEN(SAVE)
		}
	}
	if (hart->has_select) {
		TSMD_CSRS_SELECT(SAVE)
		if (hart->has_h) {
			TSMD_CSRS_HSELECT(SAVE)
		}
	}
	if (hart->has_aia && hart->has_h) {
		TSMD_CSRS_HAIA(SAVE)
	}
	if (hart->has_ctr) {
		TSMD_CSRS_CTR(SAVE)
		TSMD_CSRS_CTRDEPTH(SAVE)
		if (hart->has_h) {
			TSMD_CSRS_HCTR(SAVE)
		}
		__asm__ __volatile__(TSMD_SCTRCLR : : : "memory");
	}
}

/**
 * Write hvip with its VSTIP bit. QEMU takes that bit from M-mode only while
 * menvcfg.STCE is off; from HS-mode, where the host wrote it, always. Turning
 * STCE off clears henvcfg.STCE too, so henvcfg must not be the host's here.
 */
static inline void write_hvip_vstip(unsigned long value)
{
	unsigned long menvcfg = csr_read_clear(CSR_MENVCFG, ENVCFG_STCE);

	csr_write(CSR_HVIP, value);
	csr_write(CSR_MENVCFG, menvcfg);
}

static inline void save_csrs(struct tsmd_hart *hart)
{
	TSMD_CSRS_S(SAVE)
	if (hart->has_h) {
		if (hart->has_sstc) {
			TSMD_CSRS_VSTC(SAVE)
		}
		TSMD_CSRS_H(SAVE)
		TSMD_CSRS_HGOVERN(SAVE)
		if (hart->csrs.hvip & MIP_VSTIP)
			write_hvip_vstip(0);
	}
	/* Rare on today's harts, so one test covers both. */
	if (hart->has_stateen || hart->has_select)
		save_optional_csrs(hart);
	TSMD_CSRS_M(SAVE)
}

#define RESTORE(name, number, value)	\
	csr_write(number, hart->csrs.name);

static inline void restore_optional_csrs(struct tsmd_hart *hart)
{
	if (hart->has_stateen) {
		TSMD_CSRS_STATEEN(RESTORE)
		if (hart->has_h) {
			TSMD_CSRS_HSTATEEN(RESTORE)
		}
	}
	if (hart->has_select) {
		TSMD_CSRS_SELECT(RESTORE)
		if (hart->has_h) {
			TSMD_CSRS_HSELECT(RESTORE)
		}
	}
	if (hart->has_aia && hart->has_h) {
		TSMD_CSRS_HAIA(RESTORE)
	}
	if (hart->has_ctr) {
		__asm__ __volatile__(TSMD_SCTRCLR : : : "memory");
		if (hart->has_h) {
			TSMD_CSRS_HCTR(RESTORE)
		}
		TSMD_CSRS_CTRDEPTH(RESTORE)
		TSMD_CSRS_CTR(RESTORE)
	}
}

static inline void restore_csrs(struct tsmd_hart *hart)
{
	/*
	 * menvcfg first: with its STCE and the like as the host had them, the
	 * host's henvcfg and vstimecmp are writable again.
	 */
	TSMD_CSRS_M(RESTORE)
	TSMD_CSRS_S(RESTORE)
	if (hart->has_stateen || hart->has_select)
		restore_optional_csrs(hart);
	if (hart->has_h) {
		if (hart->csrs.hvip & MIP_VSTIP)
			write_hvip_vstip(hart->csrs.hvip);
		TSMD_CSRS_HGOVERN(RESTORE)
		TSMD_CSRS_H(RESTORE)
		if (hart->has_sstc) {
			TSMD_CSRS_VSTC(RESTORE)
		}
	}
}

static inline void set_tsm_frame(struct tsmd_hart *hart,
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

/** Give this hart the permissions @p cfg: its cfg_host or its cfg_tsm */
static inline void tsmd_pmp_select(const struct tsmd_hart *hart,
				   const unsigned long *cfg)
{
	csr_write(CSR_PMPCFG0, cfg[0]);
	csr_write(CSR_PMPCFG2, cfg[1]);
	/*
	 * PMP results may be cached together with address translations, so a
	 * change of permissions holds only after these fences (privileged
	 * specification, physical memory protection and paging).
	 */
	__asm__ __volatile__("sfence.vma" : : : "memory");
	if (hart->has_h)
		/* hfence.gvma zero, zero */
		__asm__ __volatile__(".word 0x62000073" : : : "memory");
}

/** Take the host off the hart; its registers are in hart->host already */
static inline void tsmd_switch_to_tsm(struct tsmd_hart *hart)
{
	set_tsm_frame(hart, &hart->host.regs);
	mask_sse(hart);
	save_csrs(hart);
	hart->in_tsm = true;
	hart->fast = false;
	/* Last, with fences that also cover the change of satp and hgatp. */
	tsmd_pmp_select(hart, hart->cfg_tsm);
}

/** Put the host's CSRs and view of memory back */
static inline void tsmd_switch_to_host(struct tsmd_hart *hart)
{
	restore_csrs(hart);
	hart->in_tsm = false;
	hart->fast = !hart->interrupted;
	tsmd_pmp_select(hart, hart->cfg_host);
	unmask_sse(hart);
}

#endif
