/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A CSR's number is part of the instruction, so there is a stub to read and
 * one to write each of the 4096. The words are written out because the
 * assembler knows not all of them by number.
 */
#include "audit.h"

	.option	norvc
	.text

	/* a0 = number; returns the value in a0 and 0 in a1. */
	.globl	csr_read_number
csr_read_number:
	li	a1, 0
	la	t0, csr_stubs
	slli	a0, a0, 3
	add	t0, t0, a0
	jr	t0

	/* a0 = number, a1 = value; returns 0 in a1. */
	.globl	csr_write_number
csr_write_number:
	la	t0, csr_stubs + 8 * AUDIT_CSR_NUMBERS
	slli	a0, a0, 3
	add	t0, t0, a0
	mv	a0, a1
	li	a1, 0
	jr	t0

	.balign	8
	.globl	csr_stubs
csr_stubs:
	.set	number, 0
	.rept	AUDIT_CSR_NUMBERS
	.word	(number << 20) | (2 << 12) | (10 << 7) | 0x73	/* csrr a0, n */
	ret
	.set	number, number + 1
	.endr
	.set	number, 0
	.rept	AUDIT_CSR_NUMBERS
	.word	(number << 20) | (10 << 15) | (1 << 12) | 0x73	/* csrw n, a0 */
	ret
	.set	number, number + 1
	.endr
	.globl	csr_stubs_end
csr_stubs_end:

	.option	push
	.option	arch, +f, +d
	.macro	fp_registers op
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, \
		17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\op	f\n, (\n * 8)(a0)
	.endr
	.endm

	.globl	fp_save
fp_save:
	fp_registers fsd
	csrr	t0, fcsr
	sd	t0, 256(a0)
	ret

	.globl	fp_load
fp_load:
	fp_registers fld
	ld	t0, 256(a0)
	csrw	fcsr, t0
	ret
	.option	pop

	.option	push
	.option	arch, +v
	/* vstart, vl and vtype first: whole-register moves start at vstart. */
	.globl	vector_save
vector_save:
	csrr	t0, vstart
	csrr	t1, vl
	csrr	t2, vtype
	csrr	t3, vcsr
	sd	t0, 0(a0)
	sd	t1, 8(a0)
	sd	t2, 16(a0)
	sd	t3, 24(a0)
	csrw	vstart, zero
	addi	a0, a0, 32
	csrr	t4, vlenb
	slli	t4, t4, 3
	vs8r.v	v0, (a0)
	add	a0, a0, t4
	vs8r.v	v8, (a0)
	add	a0, a0, t4
	vs8r.v	v16, (a0)
	add	a0, a0, t4
	vs8r.v	v24, (a0)
	csrw	vstart, t0
	ret

	.globl	vector_load
vector_load:
	csrw	vstart, zero
	addi	a1, a0, 32
	csrr	t4, vlenb
	slli	t4, t4, 3
	vl8re8.v v0, (a1)
	add	a1, a1, t4
	vl8re8.v v8, (a1)
	add	a1, a1, t4
	vl8re8.v v16, (a1)
	add	a1, a1, t4
	vl8re8.v v24, (a1)
	ld	t1, 8(a0)
	ld	t2, 16(a0)
	vsetvl	zero, t1, t2
	ld	t3, 24(a0)
	csrw	vcsr, t3
	ld	t0, 0(a0)
	csrw	vstart, t0
	ret
	.option	pop
