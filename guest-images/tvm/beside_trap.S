/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps of a guest that goes on afterwards: the registers that a C function
 * may change are kept on the stack. FP and V are not touched on the way.
 */
#define FRAME		128

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
	.globl	beside_vector
	.balign	4
beside_vector:
	addi	sp, sp, -FRAME
	caller_saved sd
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	call	beside_trapped
	caller_saved ld
	addi	sp, sp, FRAME
	sret
