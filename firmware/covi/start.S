/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry with the header of a RISC-V kernel Image, calls, and accesses that trap. */
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
	call	covi_main

	/* Started by SBI HSM. */
	.globl	second_entry
second_entry:
	la	t1, trap
	csrw	stvec, t1
	la	sp, second_stack
	call	second_main

	/* void call(uint64_t a[8]) */
	.globl	call
call:
	mv	t0, a0
	ld	a1, 8(t0)
	ld	a2, 16(t0)
	ld	a3, 24(t0)
	ld	a4, 32(t0)
	ld	a5, 40(t0)
	ld	a6, 48(t0)
	ld	a7, 56(t0)
	ld	a0, 0(t0)
	ecall
	sd	a0, 0(t0)
	sd	a1, 8(t0)
	ret

	/* A trap of an access that says so in t4 is its result; others end all. */
	.globl	try_read
try_read:
	li	t4, 1
	li	t6, 0
	lw	t5, 0(a0)
	li	t4, 0
	mv	a0, t6
	ret

	.globl	try_write
try_write:
	li	t4, 1
	li	t6, 0
	sw	a1, 0(a0)
	li	t4, 0
	mv	a0, t6
	ret

	.balign	4
trap:
	beqz	t4, 1f
	csrr	t5, sepc
	addi	t5, t5, 4
	csrw	sepc, t5
	csrr	t6, scause
	sret
1:	csrr	a0, scause
	csrr	a1, sepc
	call	trapped

	.section .bss.stacks, "aw", @nobits
	.balign	16
	.space	8192
first_stack:
	.space	8192
second_stack:
