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
		if (unlikely(hart->csrs.hvip & MIP_VSTIP))
			write_hvip_vstip(0);
	}
	/* Rare on today's harts, so one test covers all of them. */
	if (unlikely(hart->has_optional))
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
	if (unlikely(hart->has_optional))
		restore_optional_csrs(hart);
	if (hart->has_h) {
		/* What the TSM has set there would stay for the host's guest. */
		if (unlikely((hart->csrs.hvip | csr_read(CSR_HVIP)) & MIP_VSTIP))
			write_hvip_vstip(hart->csrs.hvip);
		TSMD_CSRS_HGOVERN(RESTORE)
		TSMD_CSRS_H(RESTORE)
		if (hart->has_sstc) {
			TSMD_CSRS_VSTC(RESTORE)
		}
	}
}

/** Give this hart the permissions @p cfg: its cfg_host or the cfg of a view */
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
	save_csrs(hart);
	hart->in_tsm = true;
	hart->fast = false;
	/* Last, with fences that also cover the change of satp and hgatp. */
	tsmd_pmp_select(hart, hart->view->cfg);
}

/** Put the host's CSRs and view of memory back */
static inline void tsmd_switch_to_host(struct tsmd_hart *hart)
{
	restore_csrs(hart);
	hart->in_tsm = false;
	hart->fast = !hart->interrupted;
	tsmd_pmp_select(hart, hart->cfg_host);
	if (unlikely(hart->sse_waits))
		tsmd_sse_deliver(hart);
}

#endif
