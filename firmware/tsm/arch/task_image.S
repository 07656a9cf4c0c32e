/* SPDX-License-Identifier: BSD-2-Clause */
/* The task, linked for its own address space; the Makefile says where it is. */
	.section .task_image, "a"
	.globl	task_image, task_image_end
task_image:
	.incbin	TASK_IMAGE
task_image_end:
