/* SPDX-License-Identifier: BSD-2-Clause */
/* Traps of the guest `calls`, and where its other vCPUs begin. */
#define FRAME		128
#define STACK_SHIFT	12

	.macro	caller_saved op
	\op	ra, 0(sp)
	\op	t0, 8(sp)
	\op	t1, 16(sp)
	\op	t2, 24(sp)
	\op	a0, 32(sp)
	\op	a1, 40(sp)
	\op	a2, 48(sp)
	\op	a3, 56(sp)
	\op	a4, 64(sp)
	\op	a5, 72(sp)
	\op	a6, 80(sp)
	\op	a7, 88(sp)
	\op	t3, 96(sp)
	\op	t4, 104(sp)
	\op	t5, 112(sp)
	\op	t6, 120(sp)
	.endm

	.text
	.balign	4
	.globl	calls_vector
calls_vector:
	addi	sp, sp, -FRAME
	caller_saved sd
	call	calls_trapped
	caller_saved ld
	addi	sp, sp, FRAME
	sret

	/* a0 = vCPU, a1 = argument; a stack of its own for each */
	.globl	second_entry
second_entry:
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	mv	tp, a0
	la	sp, second_stacks
	slli	t0, a0, STACK_SHIFT
	add	sp, sp, t0
	la	t0, calls_vector
	csrw	stvec, t0
	call	second_main

	.section .bss.stacks, "aw", @nobits
	.balign	16
second_stacks:
	.space	8 << STACK_SHIFT
