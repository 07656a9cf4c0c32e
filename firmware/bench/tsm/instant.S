/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TSM that refuses every call at once: what is left of a round trip is
 * M-mode's. The value it answers with is instret at its first instruction, and
 * INSTANT_INSTRUCTIONS are from that one to its ECALL, both included. Nothing
 * here needs the H extension.
 */
#include "bench.h"
#include "cove.h"

	.option	norvc
	.option	norelax
	.section .text.entry, "ax"
	.globl	_start
_start:
	la	a0, call_entry
	li	a1, TEECALL_ABI_VERSION
	li	a6, COVE_TSMD_READY
	li	a7, COVE_EID_TSMD
	ecall

	.balign	4
call_entry:
	csrr	a1, instret
	li	a0, COVE_ERR_NOT_SUPPORTED
	li	a4, 0
	li	a6, COVE_TSMD_RET
	li	a7, COVE_EID_TSMD
end:	ecall
	.if	(end - call_entry) / 4 + 1 != INSTANT_INSTRUCTIONS
	.error	"INSTANT_INSTRUCTIONS is wrong"
	.endif
1:	j	1b
