/* SPDX-License-Identifier: BSD-2-Clause */
/* The address space of the U-mode task, for the TSM and the task's linker. */
#ifndef TSM_TASK_H
#define TSM_TASK_H

/* Read-only: code and constants, straight from the TSM's image */
#define TASK_TEXT		0x10000
/* struct task_io, data, heap; TASK_DATA_PAGES of them */
#define TASK_DATA		0x100000
#define TASK_DATA_PAGES		12
/* Nothing is mapped below the stack's pages or above them. */
#define TASK_STACK_TOP		0x1f0000
#define TASK_STACK_PAGES	4
/* The registers, for the trampoline and not for the task */
#define TASK_CONTEXT		0x1ff000

/* Offset in struct task_context behind what struct guest_context has too */
#define TASK_SELF		0x118

#endif
