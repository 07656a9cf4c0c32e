/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways into the TSM. M-mode gives no stack and keeps none: it is found by
 * the hart index in tp, and every call starts at its top.
 */
#include "csr.h"

	/* sp = top of this hart's stack; clobbers t1. */
	.macro	find_stack
	la	sp, tsm_stacks
	addi	t1, tp, 1
	slli	t1, t1, STACK_SHIFT
	add	sp, sp, t1
	.endm

	.section .text.entry, "ax"

	/* Once: a0 = hart index, a1 = struct tsm_boot_info, tp = hart index. */
	.globl	_start
_start:
	la	t1, tsm_trap
	csrw	CSR_STVEC, t1
	la	t1, __bss_start
	la	t2, __bss_end
1:	bgeu	t1, t2, 2f
	sd	zero, 0(t1)
	addi	t1, t1, 8
	j	1b
2:	find_stack
	mv	a0, a1
	call	tsm_boot

	/*
	 * Every TEECALL: a0-a7 of the host, t0 = 0 or COVE_TEECALL_RESUME. The
	 * frame is struct teecall.
	 */
	.balign	4
	.globl	tsm_call_entry
tsm_call_entry:
	la	t1, tsm_trap
	csrw	CSR_STVEC, t1
	find_stack
	addi	sp, sp, -80
	sd	a0, 0(sp)
	sd	a1, 8(sp)
	sd	a2, 16(sp)
	sd	a3, 24(sp)
	sd	a4, 32(sp)
	sd	a5, 40(sp)
	sd	a6, 48(sp)
	sd	a7, 56(sp)
	sd	t0, 64(sp)
	mv	a0, sp
	call	tsm_teecall

	/*
	 * A trap of the TSM itself. Nothing of the interrupted code is needed
	 * again: the panic starts on a fresh stack, whatever became of sp.
	 */
	.balign	4
	.globl	tsm_trap
tsm_trap:
	find_stack
	csrr	a0, CSR_SCAUSE
	csrr	a1, CSR_SEPC
	csrr	a2, CSR_STVAL
	call	tsm_trap_panic

	.section .bss.stacks, "aw", @nobits
	.balign	STACK_SIZE
	.globl	tsm_stacks
tsm_stacks:
	.zero	STACK_SIZE * 8
