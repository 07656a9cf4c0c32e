/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Leave M-mode with every register taken from a frame. Needed once at boot,
 * when the TSM is entered without a trap to return from.
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
