// SPDX-License-Identifier: BSD-2-Clause
/*
 * A thread for each CPU that a batch names, pinned there once. One of them has
 * the word at a time and passes it on when a line names another CPU. A thread
 * that moved from CPU to CPU would wait for the scheduler of each; one that
 * waits where it is has the word after a look at its own seat.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "batch.h"

/* Looks before a thread that waits gives its hart away: the word often comes back at once */
#define LOOKS	20000

enum word {
	ELSEWHERE,
	HERE,
	/* Elsewhere, and the thread sleeps */
	ASLEEP,
};

static struct seat {
	pthread_t thread;
	bool taken;
	int cpu;
	enum word word;
	struct batch *batch;
} seats[CPU_SETSIZE], end;

static void futex(enum word *word, int what, int value)
{
	syscall(SYS_futex, word, what, value, NULL, NULL, 0);
}

/* What the thread before has done is seen by the next: release and acquire. */
static void give(struct seat *seat)
{
	if (__atomic_exchange_n(&seat->word, HERE, __ATOMIC_ACQ_REL) == ASLEEP)
		futex(&seat->word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

static bool is_here(struct seat *seat)
{
	return __atomic_load_n(&seat->word, __ATOMIC_ACQUIRE) == HERE;
}

static void wait_at(struct seat *seat)
{
	for (unsigned int looks = 0; looks < LOOKS; looks++)
		if (is_here(seat))
			return;
	while (!is_here(seat)) {
		enum word seen = ELSEWHERE;

		__atomic_compare_exchange_n(&seat->word, &seen, ASLEEP, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
		if (seen != HERE)
			futex(&seat->word, FUTEX_WAIT_PRIVATE, ASLEEP);
	}
}

static void leave(struct seat *seat, int64_t cpu)
{
	seat->word = ELSEWHERE;
	give(cpu < 0 ? &end : &seats[cpu]);
}

static void *sit(void *arg)
{
	struct seat *seat = arg;

	for (;;) {
		wait_at(seat);
		leave(seat, batch_lines(seat->batch, seat->cpu));
	}
	return NULL;
}

/** Have a thread on a CPU; says why there is none and returns false. */
bool batch_seat(struct batch *batch, int64_t cpu)
{
	struct seat *seat = &seats[cpu < CPU_SETSIZE ? cpu : 0];
	pthread_attr_t attr;
	cpu_set_t set;
	int error;

	if (cpu < CPU_SETSIZE && seat->taken)
		return true;
	CPU_ZERO(&set);
	if (cpu < CPU_SETSIZE)
		CPU_SET(cpu, &set);
	*seat = (struct seat){ .cpu = cpu, .batch = batch };
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	error = pthread_create(&seat->thread, &attr, sit, seat);
	pthread_attr_destroy(&attr);
	seat->taken = !error;
	if (error)
		fprintf(stderr, "tvm: --cpu %lld: no such CPU online\n",
			(long long)cpu);
	return seat->taken;
}

/** Let a CPU make the lines that are left; returns when there are no more. */
void batch_pass(int64_t cpu)
{
	give(&seats[cpu]);
	wait_at(&end);
}
