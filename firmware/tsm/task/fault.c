// SPDX-License-Identifier: BSD-2-Clause
#include "task/fault.h"

#include <string.h>

#include "arch/task.h"

/* Behind the optimizer's back */
static volatile uint64_t *address(uint64_t value)
{
	__asm__ volatile("" : "+r"(value));
	return (volatile uint64_t *)value;
}

static uint64_t recurse(volatile uint64_t *above)
{
	volatile uint64_t here[16] = { *above };

	/* Never 0, which the compiler cannot know. */
	if (!here[0])
		return 0;
	return recurse(here) + here[1];
}

void task_fault(const uint8_t *challenge)
{
	static const uint32_t code[] = { 0x00008067 };
	static uint32_t data[] = { 0x00008067 };
	uint64_t one = 1;

	if (memcmp(challenge, "fault:", 6))
		return;
	switch (challenge[6]) {
	case 'z':
		*address(0) = 1;
		break;
	case 't':
		*address(TSM_BASE) = 1;
		break;
	case 'i':
		__asm__ volatile(".word 0");
		break;
	case 's':
		*address(TASK_DATA) = recurse(&one);
		break;
	case 'x':
		((void (*)(void))address((uint64_t)data))();
		break;
	case 'c':
		*address((uint64_t)code) = 0;
		break;
	case 'l':
		for (;;)
			__asm__ volatile("");
	}
}
