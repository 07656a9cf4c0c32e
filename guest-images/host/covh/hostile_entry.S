/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of an SSE event. It may come between any two instructions of the
 * kernel, so it touches nothing but its record: a7 is its address, a6 the hart
 * id; the firmware restores these two and sepc when the event is complete.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/csr.h>
#include "hostile.h"

#define EID_SSE		0x535345
#define SSE_COMPLETE	6

SYM_CODE_START(covh_sse_entry)
	sd	t0, COVH_SSE_SAVED(a7)
	sd	a0, COVH_SSE_SAVED+8(a7)
	sd	a1, COVH_SSE_SAVED+16(a7)
	csrr	t0, CSR_EPC
	sd	t0, COVH_SSE_SEPC(a7)
	csrr	t0, CSR_TIME
	sd	t0, COVH_SSE_TIME(a7)
	ld	t0, COVH_SSE_COUNT(a7)
	addi	t0, t0, 1
	sd	t0, COVH_SSE_COUNT(a7)
	/* The ECALL answers only when it fails: what follows then is a loop. */
	ld	t0, COVH_SSE_SAVED(a7)
	ld	a0, COVH_SSE_SAVED+8(a7)
	ld	a1, COVH_SSE_SAVED+16(a7)
	li	a7, EID_SSE
	li	a6, SSE_COMPLETE
	ecall
1:	j	1b
SYM_CODE_END(covh_sse_entry)
