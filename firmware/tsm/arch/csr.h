/* SPDX-License-Identifier: BSD-2-Clause */
/* CSR numbers and fields, for C and assembly. */
#ifndef TSM_CSR_H
#define TSM_CSR_H

/* Numbers, because not every assembler knows the names of H and Sstc. */
#define CSR_FCSR		0x003
#define CSR_VSTART		0x008
#define CSR_VCSR		0x00f
#define CSR_SSTATUS		0x100
#define CSR_SIE			0x104
#define CSR_STVEC		0x105
#define CSR_SCOUNTEREN		0x106
#define CSR_SENVCFG		0x10a
#define CSR_SSTATEEN0		0x10c
#define CSR_SSCRATCH		0x140
#define CSR_SEPC		0x141
#define CSR_SCAUSE		0x142
#define CSR_STVAL		0x143
#define CSR_SIP			0x144
#define CSR_STIMECMP		0x14d
#define CSR_SATP		0x180
#define CSR_VSSTATUS		0x200
#define CSR_VSIE		0x204
#define CSR_VSTVEC		0x205
#define CSR_VSSCRATCH		0x240
#define CSR_VSEPC		0x241
#define CSR_VSCAUSE		0x242
#define CSR_VSTVAL		0x243
#define CSR_VSISELECT		0x250
#define CSR_VSIREG		0x251
#define CSR_VSTIMECMP		0x24d
#define CSR_VSATP		0x280
#define CSR_HSTATUS		0x600
#define CSR_HEDELEG		0x602
#define CSR_HIDELEG		0x603
#define CSR_HTIMEDELTA		0x605
#define CSR_HCOUNTEREN		0x606
#define CSR_HGEIE		0x607
#define CSR_HENVCFG		0x60a
#define CSR_HSTATEEN0		0x60c
#define CSR_HTVAL		0x643
#define CSR_HVIP		0x645
#define CSR_HTINST		0x64a
#define CSR_HGATP		0x680
#define CSR_HGEIP		0xe12
#define CSR_TIME		0xc01
#define CSR_INSTRET		0xc02
#define CSR_VL			0xc20
#define CSR_VTYPE		0xc21
#define CSR_VLENB		0xc22

#define SSTATUS_SIE		(1 << 1)
#define SSTATUS_SPIE		(1 << 5)
#define SSTATUS_SPP		(1 << 8)
#define SSTATUS_VS		(3 << 9)
#define SSTATUS_VS_INITIAL	(1 << 9)
#define SSTATUS_FS		(3 << 13)
#define SSTATUS_FS_INITIAL	(1 << 13)
#define VSSTATUS_UXL_64		(2UL << 32)
/* Bits of scounteren: cycle, time, instret */
#define SCOUNTEREN_COUNTERS	7UL

#define HSTATUS_SPV		(1 << 7)
#define HSTATUS_SPVP		(1 << 8)
#define HSTATUS_VGEIN_SHIFT	12
#define HSTATUS_VTW		(1 << 21)
#define HSTATUS_VSXL		(3UL << 32)

#define SIE_STIE		(1 << 5)

#define HENVCFG_STCE		(1UL << 63)
/* Interrupt files, the rest of AIA, and selected registers */
#define HSTATEEN0_AIA		(7UL << 58)
#define HSTATEEN0_ENVCFG	(1UL << 62)
#define HSTATEEN0_SE0		(1UL << 63)
#define HVIP_VSSIP		(1 << 2)
#define HVIP_VSEIP		(1 << 10)

#define SATP_MODE_SV39		(8UL << 60)
#define HGATP_MODE_SV48X4	(9UL << 60)
#define HGATP_VMID_SHIFT	44

#define IRQ_VS_SOFT		2
#define IRQ_VS_TIMER		6
#define IRQ_VS_EXT		10
#define CAUSE_INTERRUPT		(1UL << 63)

#define CAUSE_FETCH_MISALIGNED	0
#define CAUSE_ILLEGAL		2
#define CAUSE_BREAKPOINT	3
#define CAUSE_LOAD_MISALIGNED	4
#define CAUSE_LOAD_ACCESS	5
#define CAUSE_STORE_MISALIGNED	6
#define CAUSE_STORE_ACCESS	7
#define CAUSE_ECALL_U		8
#define CAUSE_ECALL_VS		10
#define CAUSE_FETCH_PAGE	12
#define CAUSE_LOAD_PAGE		13
#define CAUSE_STORE_PAGE	15
#define CAUSE_FETCH_GUEST_PAGE	20
#define CAUSE_LOAD_GUEST_PAGE	21
#define CAUSE_VIRTUAL		22
#define CAUSE_STORE_GUEST_PAGE	23

/*
 * Each hart's stack; entry.S finds it by the hart index. Its lowest page is
 * closed by M-mode on that hart, so that an overflow ends in a fault.
 */
#define STACK_SHIFT		14
#define STACK_SIZE		(1 << STACK_SHIFT)

/* Offsets in struct guest_context, checked by arch/guest.c. */
#define GUEST_GPR(n)		((n) * 8)
#define GUEST_SEPC		0x100
#define GUEST_TSM_SP		0x108
#define GUEST_TSM_TP		0x110

/* Offsets in struct vector_state, checked by arch/vector.c. */
#define VECTOR_VSTART		0
#define VECTOR_VTYPE		8
#define VECTOR_VL		16
#define VECTOR_VCSR		24
#define VECTOR_REGISTERS	32

#ifndef __ASSEMBLER__

#define csr_read(number) ({						\
	unsigned long value_;						\
	__asm__ volatile("csrr %0, %1" : "=r"(value_) : "i"(number));	\
	value_;								\
})

#define csr_write(number, value)					\
	__asm__ volatile("csrw %0, %1" : : "i"(number),			\
			 "rK"((unsigned long)(value)) : "memory")

#define csr_set(number, bits)						\
	__asm__ volatile("csrs %0, %1" : : "i"(number),			\
			 "rK"((unsigned long)(bits)) : "memory")

#define csr_clear(number, bits)						\
	__asm__ volatile("csrc %0, %1" : : "i"(number),			\
			 "rK"((unsigned long)(bits)) : "memory")

#endif /* __ASSEMBLER__ */
#endif
