/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that looks at its gigabyte whenever it is entered: at first for
 * zeros, then for what it has written the last time. It writes other values
 * and hands the host how often it has been here, shifted by one, and in the
 * lowest bit whether something was not as it should be.
 */
#include "bench.h"
#include "cove.h"
#include "giga.h"

	.section .guest, "ax"
	.balign	4096
	.globl	giga_guest
giga_guest:
	li	s0, GIGA_GPA
	li	s1, 0
look:
	/* s2 = something is wrong, s3 = the next values */
	li	s2, 0
	addi	s3, s1, 1
	lla	t0, probes
	lla	t1, probes_end
1:	ld	t2, 0(t0)
	add	t2, t2, s0
	ld	t3, 0(t2)
	li	t4, 0
	beqz	s1, 2f
	xor	t4, t2, s1
2:	beq	t3, t4, 3f
	li	s2, 1
3:	xor	t4, t2, s3
	sd	t4, 0(t2)
	addi	t0, t0, 8
	bltu	t0, t1, 1b
	mv	s1, s3
	slli	a0, s1, 1
	or	a0, a0, s2
	li	a6, COVE_DBCN_CONSOLE_WRITE_BYTE
	li	a7, COVE_EID_DBCN
	ecall
	j	look

	.balign	8
probes:
	.dword	GIGA_PROBES
probes_end:
	.balign	4096
