/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * tsmd_mret: leave M-mode with every register taken from a frame. Needed once
 * at boot, when the TSM is entered without a trap to return from.
 * tsmd_zero_fp, tsmd_zero_v: what a dead TSM may have left in the FP and
 * vector registers.
 */
#include <sbi/riscv_asm.h>
#include <sbi/riscv_encoding.h>
#include <sbi/sbi_trap.h>

#define LOAD(reg)	REG_L reg, SBI_TRAP_REGS_OFFSET(reg)(a0)

	.section .text
	.align 3
	.globl tsmd_mret
	.hidden tsmd_mret
tsmd_mret:
	REG_L	t0, SBI_TRAP_REGS_OFFSET(mstatus)(a0)
	csrw	CSR_MSTATUS, t0
	REG_L	t0, SBI_TRAP_REGS_OFFSET(mepc)(a0)
	csrw	CSR_MEPC, t0
	LOAD(ra)
	LOAD(sp)
	LOAD(gp)
	LOAD(tp)
	LOAD(t0)
	LOAD(t1)
	LOAD(t2)
	LOAD(s0)
	LOAD(s1)
	LOAD(a1)
	LOAD(a2)
	LOAD(a3)
	LOAD(a4)
	LOAD(a5)
	LOAD(a6)
	LOAD(a7)
	LOAD(s2)
	LOAD(s3)
	LOAD(s4)
	LOAD(s5)
	LOAD(s6)
	LOAD(s7)
	LOAD(s8)
	LOAD(s9)
	LOAD(s10)
	LOAD(s11)
	LOAD(t3)
	LOAD(t4)
	LOAD(t5)
	LOAD(t6)
	/* a0 is the frame's address, so it comes last. */
	LOAD(a0)
	mret

	.globl tsmd_zero_fp
	.hidden tsmd_zero_fp
tsmd_zero_fp:
	.option push
	.option arch, +d
	fscsr	zero
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	fmv.d.x	f\n, zero
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	fmv.d.x	f\n, zero
	.endr
	.option pop
	ret

	.globl tsmd_zero_v
	.hidden tsmd_zero_v
tsmd_zero_v:
	.option push
	.option arch, +v
	vsetvli	t0, zero, e8, m8, ta, ma
	vmv.v.i	v0, 0
	vmv.v.i	v8, 0
	vmv.v.i	v16, 0
	vmv.v.i	v24, 0
	csrw	vcsr, zero
	csrw	vstart, zero
	.option pop
	ret
