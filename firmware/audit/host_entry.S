/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit host's image, in the shape of a Linux kernel Image so that the
 * harness checks and loads it as one.
 */
#include "audit.h"
#include "gpr.inc"

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
2:	la	t1, host_trap
	csrw	CSR_STVEC, t1
	la	sp, boot_stack_end
	call	host_main

	/* Started by SBI HSM: a0 = hart id. They run one after the other, so
	 * one stack is enough; the first hart waits on its own. */
	.globl	second_entry
second_entry:
	la	t1, host_trap
	csrw	CSR_STVEC, t1
	la	sp, second_stack_end
	call	second_main

	/* No event is ever let through, so nothing comes here. */
	.balign	4
	.globl	sse_handler
sse_handler:
	j	sse_handler

	/*
	 * A stub's CSR does not exist: return to its caller with a1 = 1. The
	 * stubs are functions, so the caller counts on no register but ra, sp
	 * and the saved ones. Anything else is the end.
	 */
	.balign	4
	.globl	host_trap
host_trap:
	csrr	t0, CSR_SEPC
	la	t1, csr_stubs
	la	t2, csr_stubs_end
	bltu	t0, t1, 1f
	bgeu	t0, t2, 1f
	csrw	CSR_SEPC, ra
	li	a1, 1
	sret
1:	la	sp, boot_stack_end
	call	host_died

	/*
	 * void host_teecall(struct host_frame *frame)
	 * Every register is a pattern; sp alone is one that can be used, the
	 * address of the frame.
	 */
	.globl	host_teecall
host_teecall:
	callee_saved sd, FRAME_SAVED, a0
	sd	x2, FRAME_SAVED + 16(a0)
	sd	x4, FRAME_SAVED + 32(a0)
	mv	sp, a0
	gprs_but 2, ld, FRAME_IN, sp
	ecall
	gprs_but 2, sd, FRAME_OUT, sp
	sd	sp, FRAME_OUT + 16(sp)
	mv	a0, sp
	callee_saved ld, FRAME_SAVED, a0
	ld	x4, FRAME_SAVED + 32(a0)
	ld	x2, FRAME_SAVED + 16(a0)
	ret

	.section .bss.stacks, "aw", @nobits
	.balign	16
	.zero	16384
boot_stack_end:
	.zero	16384
second_stack_end:
