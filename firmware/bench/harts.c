/* SPDX-License-Identifier: BSD-2-Clause */
/* What further harts cost, which do nothing themselves. */
#include "bench.h"
#include "cove.h"

#define EID_HSM		0x48534d
#define HART_START	0
#define NO_FUNCTION	0x3fffUL
/* Loops until a hart that says it is about to wait does so */
#define SETTLE		100000

static volatile uint64_t parked[COVE_MAX_HARTS];

static void park(uint64_t hart)
{
	int i;

	/* There is no such hart: no error of ours, but the end of the list. */
	if (sbi(EID_HSM, HART_START, hart, (uint64_t)park_entry,
		(uint64_t)&parked[hart]))
		return;
	while (!parked[hart])
		;
	for (i = 0; i < SETTLE; i++)
		__asm__ volatile("" : : : "memory");
}

void bench_harts(uint64_t self)
{
	uint64_t hart;
	int round;

	for (hart = 0; hart < COVE_MAX_HARTS; hart++)
		if (hart != self)
			park(hart);
	/*
	 * Not a conversion: it waits for the other harts, and under -icount
	 * that is until the emulator lets them run, millions of instructions.
	 */
	for (round = 0; round < ROUNDS; round++)
		covh("parked_null", round, 0, NO_FUNCTION, 0, 0);
}
