/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry with the header of a RISC-V kernel Image, entry of the other domain,
 * and the measurement itself.
 */
#include "context/bench_context.h"

	.section .text.start, "ax"
	.globl	_start
_start:
	j	begin
	.balign	8
	/* Offset from the start of memory, size, flags, version 0.2, magics. */
	.dword	0x200000
	.dword	image_end - _start
	.dword	0
	.word	2
	.word	0
	.dword	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\5"
	.word	0

begin:
	la	sp, stack_top
	la	t0, trap
	csrw	stvec, t0
	la	t0, bss_start
	la	t1, image_end
1:	sd	zero, 0(t0)
	addi	t0, t0, 8
	bltu	t0, t1, 1b
	/* a0 is this hart's id still. */
	j	bench_main

	/* A further hart: a1 is where it says that it is about to wait. */
	.globl	park_entry
park_entry:
	csrw	sie, zero
	li	t0, 1
	sd	t0, 0(a1)
1:	wfi
	j	1b

	.balign	4
trap:
	la	sp, stack_top
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	j	bench_trapped

/* The other domain of OpenSBI's own kind does nothing but return. */
	.section .text.other, "ax"
	.globl	other_entry
other_entry:
	li	a7, BENCH_EID
	li	a6, BENCH_CONTEXT_EXIT
	ecall
	j	other_entry

/*
 * The two reads of instret have only the ECALL between them, and what they
 * read stays in registers that every SBI call preserves.
 */
	.text
	.globl	measure
	.globl	measured_ecall
measure:
	addi	sp, sp, -32
	sd	s0, 0(sp)
	sd	s1, 8(sp)
	mv	s0, a0
	ld	a1, 8(s0)
	ld	a2, 16(s0)
	ld	a3, 24(s0)
	ld	a4, 32(s0)
	ld	a5, 40(s0)
	ld	a6, 48(s0)
	ld	a7, 56(s0)
	ld	a0, 0(s0)
	csrr	s1, instret
measured_ecall:
	ecall
	csrr	t0, instret
	sd	a0, 0(s0)
	sd	a1, 8(s0)
	sd	s1, 64(s0)
	sd	t0, 72(s0)
	ld	s0, 0(sp)
	ld	s1, 8(sp)
	addi	sp, sp, 32
	ret

	.globl	measure_nothing
measure_nothing:
	csrr	t0, instret
	csrr	t1, instret
	sd	t0, 64(a0)
	sd	t1, 72(a0)
	ret

	.section .bss.stack, "aw", @nobits
	.balign	16
	.space	8192
stack_top:
