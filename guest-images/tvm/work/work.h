/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * work: the same program on the host, in a plain guest of KVM and in a TVM. In
 * a guest it is the first process, and its console says what it is to do.
 */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

/* Time in ticks of the machine's timebase */
static inline uint64_t ticks(void)
{
	uint64_t now;

	asm volatile("rdtime %0" : "=r"(now) : : "memory");
	return now;
}

/** Next of a sequence that never comes to 0 from another number (xorshift64). */
static inline uint64_t next_random(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *what) __attribute__((noreturn));

/* load.c: rounds of work with a result that depends on all of them */
int load(int count, char **words);

/* bench.c: one line for each workload, with the ticks that it has taken */
int bench(int count, char **words);

/* disk.c: 256 reads of /dev/vda, whose sector n, of 64, begins with n + 1 (64 bits) */
void prepare_disk(void);
void read_disk(void);

#endif
