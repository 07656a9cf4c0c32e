/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an SSE event enters the host, and where the hart that sends it starts. */
#include "bench.h"
#include "sse.h"

	.text
	/* a7 = where to write down sepc and instret; a6, a7 are free. */
	.globl	sse_entry
sse_entry:
	csrr	a6, sepc
	sd	a6, 0(a7)
	csrr	a6, instret
	sd	a6, 8(a7)
	li	a6, SSE_COMPLETE
	li	a7, EID_SSE
	ecall

	/* a0 = this hart, a1 = struct request; it sends whenever it is asked. */
	.globl	sender_entry
sender_entry:
	csrw	sie, zero
	mv	s0, a1
1:	ld	s1, 0(s0)
	beqz	s1, 1b
	sd	zero, 0(s0)
	/* s1 is the time to wait for. */
2:	csrr	t0, time
	bltu	t0, s1, 2b
	li	a0, SSE_LOCAL_SOFTWARE
	ld	a1, 8(s0)
	li	a6, SSE_INJECT
	li	a7, EID_SSE
	ecall
	j	1b
