/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry of every guest: a0 = vCPU id, a1 = argument of finalize_tvm, satp = 0.
 *
 * A trap has nowhere to go but to an end: the guest stops with a message, so
 * that a fault of its own is not mistaken for one of the TSM.
 */
#define SSTATUS_FS_INITIAL	(1 << 13)
#define GUEST_STACK_SIZE	8192

	.section .text.start, "ax"
	.globl	_start
_start:
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	la	sp, stack_top
	la	t0, trap
	csrw	stvec, t0
	li	t0, SSTATUS_FS_INITIAL
	csrs	sstatus, t0
	call	guest_main
	call	shutdown

	.balign	4
trap:
	la	sp, stack_top
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	call	trapped

	.section .bss.stack, "aw", @nobits
	.balign	16
	.space	GUEST_STACK_SIZE
stack_top:
