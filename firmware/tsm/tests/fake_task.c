// SPDX-License-Identifier: BSD-2-Clause
/* The U-mode task as a function call. */
#include "arch/csr.h"
#include "task/evidence.h"
#include "tests/test.h"

static struct task_io io[ARCH_TASKS];
static u8 heap[16384] __attribute__((aligned(16)));

void arch_task_wipe(unsigned int task)
{
	memset(&io[task], 0, sizeof(io[task]));
	fake.task_wipes++;
}

struct task_io *arch_task_start(unsigned int task)
{
	fake.task_starts++;
	return &io[task];
}

struct task_io *arch_task_memory(unsigned int task)
{
	return &io[task];
}

enum task_end arch_task_run(unsigned int task, u64 *cause)
{
	void (*works)(void) = fake.task_works;

	fake.task_works = NULL;
	if (works)
		works();
	*cause = CAUSE_INTERRUPT | 5;
	if (fake.task_interrupts) {
		fake.task_interrupts--;
		return TASK_INTERRUPTED;
	}
	*cause = CAUSE_STORE_PAGE;
	if (fake.task_crashes)
		return TASK_CRASHED;
	*cause = CAUSE_ECALL_U;
	if (fake.task_size) {
		io[task].result.size = fake.task_size;
		return TASK_DONE;
	}
	evidence_heap(heap, sizeof(heap));
	evidence_build(&io[task].request, &io[task].result);
	return TASK_DONE;
}
