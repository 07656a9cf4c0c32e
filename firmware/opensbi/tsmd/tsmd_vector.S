/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Trap vector in front of OpenSBI's: a TEECALL saves the host's registers where
 * they stay during the call, a TEERET saves nothing, since the TSM keeps no
 * context in M-mode. All other traps go on to OpenSBI's own vector behind its
 * first two instructions, which are the first two here as well.
 */
#include <sbi/riscv_asm.h>
#include <sbi/riscv_encoding.h>
#include <sbi/sbi_scratch.h>
#include <sbi/sbi_trap.h>

#include "cove.h"
#include "tsmd_asm.h"

#define HOST(reg)	(TSMD_HART_HOST + SBI_TRAP_REGS_OFFSET(reg))
#define SAVE(reg)	REG_S reg, HOST(reg)(t0)
#define LOAD(reg)	REG_L reg, HOST(reg)(s0)

	/* t0 = struct tsmd_hart of this hart; tp is its scratch space. */
.macro	find_hart
	lla	t0, tsmd_hart_offset
	REG_L	t0, (t0)
	add	t0, t0, tp
	REG_L	t0, (t0)
.endm

	.section .text
	.align 3
	.globl tsmd_vector
	.hidden tsmd_vector
tsmd_vector:
	csrrw	tp, CSR_MSCRATCH, tp
	REG_S	t0, SBI_SCRATCH_TMP0_OFFSET(tp)

	csrr	t0, CSR_MCAUSE
	addi	t0, t0, -CAUSE_SUPERVISOR_ECALL
	bnez	t0, other
	li	t0, COVE_EID_COVH
	beq	a7, t0, teecall
	li	t0, COVE_EID_TSMD
	beq	a7, t0, tsm_call
other:
	lla	t0, tsmd_next_vector
	REG_L	t0, (t0)
	jr	8(t0)

teecall:
	find_hart
	/* a7 is known, so it can be borrowed. */
	lbu	a7, TSMD_HART_FAST(t0)
	beqz	a7, teecall_slow
	li	a7, COVE_EID_COVH
	SAVE(ra)
	SAVE(sp)
	SAVE(gp)
	SAVE(t1)
	SAVE(t2)
	SAVE(s0)
	SAVE(s1)
	SAVE(a0)
	SAVE(a1)
	SAVE(a2)
	SAVE(a3)
	SAVE(a4)
	SAVE(a5)
	SAVE(a6)
	SAVE(a7)
	SAVE(s2)
	SAVE(s3)
	SAVE(s4)
	SAVE(s5)
	SAVE(s6)
	SAVE(s7)
	SAVE(s8)
	SAVE(s9)
	SAVE(s10)
	SAVE(s11)
	SAVE(t3)
	SAVE(t4)
	SAVE(t5)
	SAVE(t6)
	REG_L	t1, SBI_SCRATCH_TMP0_OFFSET(tp)
	REG_S	t1, HOST(t0)(t0)
	/* mscratch holds the host's tp and gets the scratch space back. */
	csrrw	t1, CSR_MSCRATCH, tp
	REG_S	t1, HOST(tp)(t0)
	csrr	t1, CSR_MEPC
	REG_S	t1, HOST(mepc)(t0)
	csrr	t1, CSR_MSTATUS
	REG_S	t1, HOST(mstatus)(t0)
	mv	sp, tp
	mv	a0, t0
	mv	s0, t0
	call	tsmd_fast_teecall
	bnez	a0, refused

	/*
	 * Into the TSM with the host's arguments, its hart index, and nothing
	 * else. The switch has made its entry stvec.
	 */
	csrr	t0, CSR_STVEC
	csrw	CSR_MEPC, t0
	REG_L	t0, TSMD_HART_TSM_MSTATUS(s0)
	csrw	CSR_MSTATUS, t0
	lw	tp, TSMD_HART_INDEX(s0)
	LOAD(a0)
	LOAD(a1)
	LOAD(a2)
	LOAD(a3)
	LOAD(a4)
	LOAD(a5)
	LOAD(a6)
	LOAD(a7)
	.irp	reg, ra, sp, gp, t0, t1, t2, t3, t4, t5, t6, \
		s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
	li	\reg, 0
	.endr
	mret

refused:
	j	tsmd_mret

teecall_slow:
	li	a7, COVE_EID_COVH
	j	other

tsm_call:
	li	t0, COVE_TSMD_RET
	bne	a6, t0, other
	find_hart
	/* a6 is known, so it can be borrowed. */
	lbu	a6, TSMD_HART_IN_TSM(t0)
	beqz	a6, ret_of_nobody
	/* RET of the TSM: only a0-a4 matter any more. */
	csrw	CSR_MSCRATCH, tp
	mv	sp, tp
	mv	a5, t0
	call	tsmd_fast_ret
	j	tsmd_mret

ret_of_nobody:
	li	a6, COVE_TSMD_RET
	j	other
