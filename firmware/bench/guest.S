/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest of the benchmark: one page at GUEST_GPA. Whenever it is entered,
 * its first instruction reads instret and the next one is an ECALL that hands
 * the number to the host, so the same number ends the way in and begins the
 * way out. After GUEST_EXITS of them it spins until an interrupt takes the
 * hart from it.
 */
#include "bench.h"
#include "cove.h"

	.section .guest, "ax"
	.balign	4096
	.globl	guest_image
guest_image:
	li	a7, COVE_EID_DBCN
	li	a6, COVE_DBCN_CONSOLE_WRITE_BYTE
	.rept	GUEST_EXITS
	csrr	a0, instret
	ecall
	.endr
1:	j	1b
	.balign	4096
