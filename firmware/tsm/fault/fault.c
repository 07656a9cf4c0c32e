// SPDX-License-Identifier: BSD-2-Clause
/*
 * One function for each fault, never inlined: the backtrace of the crash has
 * to name it. In assembly where the compiler knows that the code is wrong and
 * would replace it.
 */
#include "arch/arch.h"
#include "fault/fault.h"
#include "mem/mem.h"
#include "trace/trace.h"

#define FAULT __attribute__((noinline, noclone))

static FAULT void fault_null(void)
{
	__asm__ volatile("sd zero, 0(zero)" : : : "memory");
}

static FAULT void fault_illegal(void)
{
	/* All zero bits are defined to be illegal. */
	__asm__ volatile(".2byte 0" : : : "memory");
}

static FAULT void fault_jump(u64 target)
{
	__asm__ volatile("jalr ra, 0(%0)" : : "r"(target) : "ra", "memory");
}

static FAULT u64 fault_stack(u64 depth)
{
	volatile u64 frame[16];

	frame[depth % 16] = depth;
	/* 2^64 is as good as without end; the sum keeps it from a loop. */
	return depth ? fault_stack(depth - 1) + frame[depth % 16] : 0;
}

static FAULT void fault_loop(void)
{
	pages_lock();
	for (;;)
		__asm__ volatile("" : : : "memory");
}

static FAULT void fault_misaligned(void)
{
	static u64 words[2];
	u64 old;

	__asm__ volatile("amoadd.d %0, zero, (%1)" : "=r"(old)
			 : "r"((char *)words + 1) : "memory");
}

static FAULT void fault_load(u64 address)
{
	u64 word;

	__asm__ volatile("ld %0, 0(%1)" : "=r"(word) : "r"(address) : "memory");
}

static FAULT void fault_store(u64 address)
{
	__asm__ volatile("sd zero, 0(%0)" : : "r"(address) : "memory");
}

static FAULT void fault_panic(void)
{
	tsm_panic("asked for by the host");
}

void fault_inject(u64 number, const u64 *args)
{
	switch (number - COVE_FAULT_FID) {
	case COVE_FAULT_NULL:
		fault_null();
		break;
	case COVE_FAULT_ILLEGAL:
		fault_illegal();
		break;
	case COVE_FAULT_JUMP:
		fault_jump(args[0]);
		break;
	case COVE_FAULT_STACK:
		fault_stack(-1UL);
		break;
	case COVE_FAULT_LOOP:
		fault_loop();
		break;
	case COVE_FAULT_MISALIGNED:
		fault_misaligned();
		break;
	case COVE_FAULT_PANIC:
		fault_panic();
		break;
	case COVE_FAULT_LOAD:
		fault_load(args[0]);
		break;
	case COVE_FAULT_STORE:
		fault_store(args[0]);
		break;
	}
	/* Nothing behind a fault may be a tail call: its frame would be gone. */
	__asm__ volatile("" : : : "memory");
}
