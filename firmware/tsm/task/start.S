/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSM has set sp. Any ECALL means that the task is done. */
	.section .text.start, "ax"
	.globl	_start
_start:
	call	task_main
1:	ecall
	j	1b
