// SPDX-License-Identifier: BSD-2-Clause
/*
 * The U-mode task: its whole world is this file's neighbours, struct task_io
 * and a stack. start.S enters with an empty stack and cleared memory.
 */
#include "task/evidence.h"
#ifdef TSM_FAULTS
#include "task/fault.h"
#endif

#define HEAP_SIZE	16384

/* First in the task's memory: the TSM finds it there. */
struct task_io task_io __attribute__((section(".io")));

static uint8_t heap[HEAP_SIZE] __attribute__((aligned(16)));

void task_main(void);

void task_main(void)
{
#ifdef TSM_FAULTS
	task_fault(task_io.request.challenge);
#endif
	evidence_heap(heap, sizeof(heap));
	evidence_build(&task_io.request, &task_io.result);
}
