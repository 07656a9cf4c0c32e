/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one list of hart state that a domain switch saves and replaces beside
 * the general registers and mepc/mstatus, which travel in the trap frame.
 * The switch, the audit and the documentation all read it.
 *
 * TSMD_CSR(name, number, value the TSM finds)
 *
 * Not listed, because shared by design (rdsm-tsm.md 2):
 *   sie, stimecmp  stay the host's, so that its interrupts and timer end a
 *                  guest run; sip follows from them
 *   sstatus        is a view of mstatus, which is in the trap frame
 *   vsie, vsip     are views of hie, hip and hvip
 *   hgeip, hip     are read-only or views of hvip
 *   cycle, time, instret  keep running
 */

/* Every hart with S-mode. stvec first: a trap then has somewhere to go. */
#define TSMD_CSRS_S(TSMD_CSR)						\
	TSMD_CSR(stvec,		0x105,	hart->domain->entry)	\
	TSMD_CSR(scounteren,	0x106,	0)				\
	TSMD_CSR(senvcfg,	0x10a,	0)				\
	TSMD_CSR(sscratch,	0x140,	0)				\
	TSMD_CSR(sepc,		0x141,	0)				\
	TSMD_CSR(scause,	0x142,	0)				\
	TSMD_CSR(stval,		0x143,	0)				\
	TSMD_CSR(satp,		0x180,	0)

/*
 * Harts with the H extension. What governs other registers is the last to go
 * and the first to come back: hgatp names the VMID under which vsatp is
 * walked, henvcfg decides which bits of vsstatus exist.
 */
#define TSMD_CSRS_H(TSMD_CSR)						\
	TSMD_CSR(hstatus,	0x600,	0)				\
	TSMD_CSR(hedeleg,	0x602,	0)				\
	TSMD_CSR(hideleg,	0x603,	0)				\
	TSMD_CSR(hie,		0x604,	0)				\
	TSMD_CSR(htimedelta,	0x605,	0)				\
	TSMD_CSR(hcounteren,	0x606,	0)				\
	TSMD_CSR(hgeie,		0x607,	0)				\
	TSMD_CSR(htval,		0x643,	0)				\
	TSMD_CSR(hvip,		0x645,	0)				\
	TSMD_CSR(htinst,	0x64a,	0)				\
	TSMD_CSR(vsstatus,	0x200,	0)				\
	TSMD_CSR(vstvec,	0x205,	0)				\
	TSMD_CSR(vsscratch,	0x240,	0)				\
	TSMD_CSR(vsepc,		0x241,	0)				\
	TSMD_CSR(vscause,	0x242,	0)				\
	TSMD_CSR(vstval,	0x243,	0)				\
	TSMD_CSR(vsatp,		0x280,	0)

#define TSMD_CSRS_HGOVERN(TSMD_CSR)					\
	TSMD_CSR(henvcfg,	0x60a,	0)				\
	TSMD_CSR(hgatp,		0x680,	0)

/* Harts with Smstateen; the second group with H */
#define TSMD_CSRS_STATEEN(TSMD_CSR)					\
	TSMD_CSR(sstateen0,	0x10c,	0)				\
	TSMD_CSR(sstateen1,	0x10d,	0)				\
	TSMD_CSR(sstateen2,	0x10e,	0)				\
	TSMD_CSR(sstateen3,	0x10f,	0)

#define TSMD_CSRS_HSTATEEN(TSMD_CSR)					\
	TSMD_CSR(hstateen0,	0x60c,	0)				\
	TSMD_CSR(hstateen1,	0x60d,	0)				\
	TSMD_CSR(hstateen2,	0x60e,	0)				\
	TSMD_CSR(hstateen3,	0x60f,	0)

/*
 * Harts with AIA or Smcsrind; the second group with H. What siselect selects
 * belongs to the host's interrupts, which stay the host's.
 */
#define TSMD_CSRS_SELECT(TSMD_CSR)					\
	TSMD_CSR(siselect,	0x150,	0)

#define TSMD_CSRS_HSELECT(TSMD_CSR)					\
	TSMD_CSR(vsiselect,	0x250,	0)

/* Harts with AIA and H */
#define TSMD_CSRS_HAIA(TSMD_CSR)					\
	TSMD_CSR(hvien,		0x608,	0)				\
	TSMD_CSR(hvictl,	0x609,	0)				\
	TSMD_CSR(hviprio1,	0x646,	0)				\
	TSMD_CSR(hviprio2,	0x647,	0)

/*
 * Harts with Smctr, which brings Smcsrind; the last group with H. Depth before
 * the pointer when they come back, behind it when they go: what sctrstatus can
 * hold follows from sctrdepth. The records themselves are not kept but
 * cleared on both ways, see TSMD_SCTRCLR.
 */
#define TSMD_CSRS_CTR(TSMD_CSR)						\
	TSMD_CSR(sctrctl,	0x14e,	0)				\
	TSMD_CSR(sctrstatus,	0x14f,	0)

#define TSMD_CSRS_CTRDEPTH(TSMD_CSR)					\
	TSMD_CSR(sctrdepth,	0x15f,	0)

#define TSMD_CSRS_HCTR(TSMD_CSR)					\
	TSMD_CSR(vsctrctl,	0x24e,	0)

/*
 * sctrclr: zero all control transfer records. There are up to 256, each of
 * three registers, and no way to tell whether a guest wrote any: so they are
 * not switched. A host that records itself finds none older than its call.
 */
#define TSMD_SCTRCLR		".word 0x10400073"

/* Harts with H and Sstc */
#define TSMD_CSRS_VSTC(TSMD_CSR)					\
	TSMD_CSR(vstimecmp,	0x24d,	0)

/*
 * M-mode's own settings that the host can change through FWFT: the TSM gets
 * what OpenSBI chose at boot.
 */
#define TSMD_CSRS_M(TSMD_CSR)						\
	TSMD_CSR(medeleg,	0x302,	hart->boot.medeleg)		\
	TSMD_CSR(mideleg,	0x303,	hart->boot.mideleg)		\
	TSMD_CSR(menvcfg,	0x30a,	hart->boot.menvcfg)		\
	TSMD_CSR(mcountinhibit,	0x320,	TSMD_COUNTINHIBIT)

/* Read to see whether a hart has what they belong to */
#define TSMD_SISELECT		0x150
#define TSMD_SCTRDEPTH		0x15f

/* The programmable counters of the host stop; cycle and instret run on. */
#define TSMD_COUNTINHIBIT	0xfffffff8UL

#define TSMD_CSRS_ALL(TSMD_CSR)						\
	TSMD_CSRS_S(TSMD_CSR)						\
	TSMD_CSRS_H(TSMD_CSR)						\
	TSMD_CSRS_HGOVERN(TSMD_CSR)					\
	TSMD_CSRS_STATEEN(TSMD_CSR)					\
	TSMD_CSRS_HSTATEEN(TSMD_CSR)					\
	TSMD_CSRS_SELECT(TSMD_CSR)					\
	TSMD_CSRS_HSELECT(TSMD_CSR)					\
	TSMD_CSRS_HAIA(TSMD_CSR)					\
	TSMD_CSRS_CTR(TSMD_CSR)						\
	TSMD_CSRS_CTRDEPTH(TSMD_CSR)					\
	TSMD_CSRS_HCTR(TSMD_CSR)					\
	TSMD_CSRS_VSTC(TSMD_CSR)					\
	TSMD_CSRS_M(TSMD_CSR)
