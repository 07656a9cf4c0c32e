/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TVM: two pages, code and data, that run at any address. It asks the host
 * how often to stir and reports the sum of all its registers, so that one lost,
 * doubled or changed instruction shows. operations.c has the same in C.
 */
#include "cove.h"
#include "sweep.h"

	.option	norvc
	.section .guest, "awx"
	.balign	4096
	.globl	sweep_guest
sweep_guest:
	/* x2 = data; all others start as their number, memory as 0. */
	auipc	x2, 1
	.irp	n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, \
		19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	li	x\n, \n
	.endr

	/* x10 = the sum of what stirring leaves alone or changes */
report:
	ld	x10, 0(x2)
	.irp	n, 1, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21, 22, \
		23, 24, 25, 26, 27, 28, 29, 30, 31
	slli	x11, x10, 1
	srli	x10, x10, 63
	or	x10, x10, x11
	add	x10, x10, x\n
	.endr
	mv	x31, x10
	/* One call that the TSM answers by itself; the answer joins the sum. */
	li	a7, COVE_EID_BASE
	li	a6, COVE_BASE_GET_IMPL_ID
	ecall
	add	x31, x31, a1
	mv	a0, x31
	li	a7, COVE_EID_DBCN
	li	a6, COVE_DBCN_CONSOLE_WRITE_BYTE
	ecall
	/* a1 = how often to stir; a0 counts down. */
	mv	a0, a1

stir:
	beqz	a0, report
	ld	x1, 0(x2)
	addi	x1, x1, 1
	sd	x1, 0(x2)
	add	x3, x3, x1
	.irp	n, 4, 5, 6, 7, 8, 9
	add	x\n, x\n, x3
	xor	x3, x3, x\n
	.endr
	.irp	n, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, \
		29, 30, 31
	add	x3, x3, x\n
	xor	x\n, x\n, x3
	.endr
	addi	a0, a0, -1
	j	stir

	.balign	4096
	.zero	4096
