/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry with the header of a RISC-V kernel Image, the call with every register
 * filled, and the traps.
 */
#include "sweep.h"

	/* op x1-x31 but x2, each at its place in an array at off(base) */
	.macro	gprs_but_sp op, off, base
	.irp	n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
		18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\op	x\n, \off + \n * 8(\base)
	.endr
	.endm

	/* op the registers that a C caller expects back, but sp */
	.macro	callee_saved op, off, base
	.irp	n, 1, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
	\op	x\n, \off + \n * 8(\base)
	.endr
	.endm

	.option	norvc
	.section .text.entry, "ax"
	.globl	_start
_start:
	j	boot
	.word	0
	.quad	0x200000
	.quad	image_size
	.quad	0
	.word	2
	.word	0
	.quad	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.word	0

	.text
	/* a0 = hart id */
boot:
	la	t1, __bss_start
	la	t2, __bss_end
1:	bgeu	t1, t2, 2f
	sd	zero, 0(t1)
	addi	t1, t1, 8
	j	1b
2:	la	t1, trap
	csrw	stvec, t1
	la	sp, first_stack
	call	sweep_main

	/* Started by SBI HSM. */
	.globl	second_entry
second_entry:
	la	t1, trap
	csrw	stvec, t1
	la	sp, second_stack
	call	second_main

	/*
	 * void sweep_call(struct frame *frame)
	 * Every register is a pattern but sp, the frame's address, and t0,
	 * which is the time of the ECALL.
	 */
	.globl	sweep_call
	.globl	sweep_ecall
sweep_call:
	callee_saved sd, FRAME_SAVED, a0
	sd	sp, FRAME_SAVED + 16(a0)
	mv	sp, a0
	csrw	sscratch, sp
	csrr	t0, time
	sd	t0, FRAME_START(sp)
	ld	t1, FRAME_K(sp)
	add	t0, t0, t1
	ld	t1, FRAME_ARM(sp)
	beqz	t1, 1f
	sd	t0, FRAME_DEADLINE(sp)
	csrw	CSR_STIMECMP, t0
1:	ld	t1, FRAME_SSTATUS(sp)
	csrs	sstatus, t1
	gprs_but_sp ld, FRAME_IN, sp
	csrr	t0, time
	sd	t0, FRAME_CALL(sp)
sweep_ecall:
	ecall
	sd	t1, FRAME_OUT + 48(sp)
	csrr	t1, time
	sd	t1, FRAME_END(sp)
	ld	t1, FRAME_OUT + 48(sp)
	gprs_but_sp sd, FRAME_OUT, sp
	sd	sp, FRAME_OUT + 16(sp)
	mv	a0, sp
	callee_saved ld, FRAME_SAVED, a0
	ld	sp, FRAME_SAVED + 16(a0)
	ret

	/*
	 * Interrupts are on only where sscratch holds the frame. The handler
	 * leaves every register as it found it.
	 */
	.balign	4
trap:
	csrrw	sp, sscratch, sp
	sd	t0, FRAME_T0(sp)
	sd	t1, FRAME_T1(sp)
	csrr	t0, scause
	bgez	t0, lost
	csrr	t1, time
	sd	t1, FRAME_TAKEN_AT(sp)
	sd	t0, FRAME_TAKEN_CAUSE(sp)
	ld	t1, FRAME_TAKEN(sp)
	addi	t1, t1, 1
	sd	t1, FRAME_TAKEN(sp)
	csrr	t1, sepc
	sd	t1, FRAME_TAKEN_PC(sp)
	andi	t0, t0, 0xff
	addi	t0, t0, -IRQ_TIMER
	beqz	t0, timer
	csrci	sip, 1 << IRQ_SOFT
leave:
	ld	t0, FRAME_T0(sp)
	ld	t1, FRAME_T1(sp)
	csrrw	sp, sscratch, sp
	sret

timer:
	ld	t0, FRAME_TAKEN_AT(sp)
	csrr	t1, CSR_STIMECMP
	sub	t0, t0, t1
	ld	t1, FRAME_MAX_DELAY(sp)
	bleu	t0, t1, 1f
	sd	t0, FRAME_MAX_DELAY(sp)
1:	li	t0, -1
	ld	t1, FRAME_SEED(sp)
	beqz	t1, 2f
	li	t0, 1103515245
	mul	t1, t1, t0
	li	t0, 12345
	add	t1, t1, t0
	sd	t1, FRAME_SEED(sp)
	/* 16 to 1039 ticks ahead */
	srli	t1, t1, 16
	andi	t1, t1, 1023
	addi	t1, t1, 16
	csrr	t0, time
	add	t0, t0, t1
2:	csrw	CSR_STIMECMP, t0
	ld	t0, FRAME_GIVE_UP(sp)
	beqz	t0, leave
	addi	t0, t0, -1
	sd	t0, FRAME_GIVE_UP(sp)
	bnez	t0, leave
	/* The host has had enough of its call and ticks no more. */
	li	t0, -1
	csrw	CSR_STIMECMP, t0
	csrr	t0, sepc
	la	t1, sweep_ecall
	bne	t0, t1, leave
	addi	t0, t0, 4
	csrw	sepc, t0
	j	leave

	.balign	4
lost:
	la	sp, first_stack
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	call	sweep_trapped

	.section .bss.stacks, "aw", @nobits
	.balign	16
	.zero	16384
first_stack:
	.zero	16384
second_stack:
