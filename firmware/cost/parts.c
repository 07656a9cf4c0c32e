/* SPDX-License-Identifier: BSD-2-Clause */
/* What the bytes of a page cost, without any TSM. */
#include "cost.h"

static uint8_t source[PAGE] __attribute__((aligned(PAGE)));
static uint8_t target[PAGE] __attribute__((aligned(PAGE)));

/*
 * Bytes that cbo.zero zeroes, 0 if the host may not execute it. Whether it
 * traps or not, the hart goes on at the label.
 */
static uint64_t __attribute__((noinline)) zero_block(void)
{
	uint64_t vector, size;

	for (size = 0; size < PAGE; size++)
		target[size] = 0xff;
	__asm__ volatile("	la	t0, 1f\n"
			 "	csrrw	%0, stvec, t0\n"
			 "	.insn	i 0x0f, 2, x0, %1, 4\n"
			 "	.balign	4\n"
			 "1:	csrw	stvec, %0"
			 : "=&r"(vector) : "r"(target) : "t0", "memory");
	for (size = 0; size < PAGE && !target[size]; size++)
		;
	return size;
}

static uint64_t instret(void)
{
	uint64_t value;

	__asm__ volatile("csrr %0, instret" : "=r"(value) : : "memory");
	return value;
}

#define PART(name, round, ...) do {					\
	struct sample part = { .before = instret() };			\
	__VA_ARGS__;							\
	part.after = instret();						\
	report("part." name, round, 0, &part);				\
} while (0)

void measure_parts(int round)
{
	uint64_t block = zero_block();

	PART("nothing", round, (void)0);
	PART("copy", round, page_copy(target, source));
	PART("hash", round, page_hash(target));
	PART("words", round, page_zero(target));
	/* Without the instruction there is no such line. */
	if (block)
		PART("blocks", round, page_zero_blocks(target, block));
}
