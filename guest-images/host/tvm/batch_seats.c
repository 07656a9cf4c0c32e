// SPDX-License-Identifier: BSD-2-Clause
/*
 * A thread for each CPU that a batch names, pinned there once. One of them has
 * the word at a time and passes it on when a line names another CPU. A thread
 * that moved from CPU to CPU would wait for the scheduler of each; one that
 * waits where it is has the word after a look at its own seat.
 *
 * All but `word` and `come` is touched by the thread that has the word alone.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "batch.h"

/* Looks before a thread that waits gives its hart away: what it waits for comes soon */
#define LOOKS	2000
/*
 * Lines that take about as long as a hart needs to wake up. One that has the
 * word back within so many stays awake, and one that sleeps is woken that long
 * before its turn: so nobody waits for a hart to wake, and no hart looks in
 * vain for long, which would slow the one that works where they share a core.
 */
#define SOON	2

static struct seat {
	pthread_t thread;
	bool taken;
	/* Looks for the word, or is told to */
	bool awake;
	int cpu;
	/* Posted when the word is on its way, to a seat that is not awake */
	sem_t come;
	/* Posted when the word is passed on to it */
	sem_t word;
	struct batch *batch;
} seats[CPU_SETSIZE];

/* Posted when there are no more lines */
static sem_t end;

static void sleep_until(sem_t *event)
{
	/* A signal that ends the wait does not end what is waited for. */
	while (sem_wait(event))
		;
}

void batch_wait(sem_t *event)
{
	for (unsigned int looks = 0; looks < LOOKS; looks++)
		if (!sem_trywait(event))
			return;
	sleep_until(event);
}

static void wake(struct seat *seat)
{
	if (seat->awake)
		return;
	seat->awake = true;
	sem_post(&seat->come);
}

/** Wake the thread that has the word soon; the one of @cpu has it now. */
void batch_announce(const struct batch *batch, int64_t cpu)
{
	int64_t next = batch_cpu_after(batch, SOON);

	if (next >= 0 && next != cpu && next < CPU_SETSIZE && seats[next].taken)
		wake(&seats[next]);
}

/* Of two harts that look for the word at once, one is in the way. */
static bool somebody_else_is_awake(const struct seat *seat, int64_t next)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (seats[cpu].awake && cpu != seat->cpu && cpu != next)
			return true;
	return false;
}

static bool is_back_soon(const struct seat *seat, int64_t next)
{
	if (next < 0 || somebody_else_is_awake(seat, next))
		return false;
	for (unsigned int lines = 1; lines <= SOON; lines++)
		if (batch_cpu_after(seat->batch, lines) == seat->cpu)
			return true;
	return false;
}

/* Pass the word on; returns whether it is back soon: who has it now may change the seat. */
static bool pass(struct seat *seat, int64_t next)
{
	bool soon = is_back_soon(seat, next);

	seat->awake = soon;
	if (next >= 0)
		wake(&seats[next]);
	sem_post(next < 0 ? &end : &seats[next].word);
	return soon;
}

static void *sit(void *arg)
{
	struct seat *seat = arg;
	bool awake = false;

	for (;;) {
		if (!awake)
			sleep_until(&seat->come);
		batch_wait(&seat->word);
		awake = pass(seat, batch_lines(seat->batch, seat->cpu));
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
	sem_init(&seat->come, 0, 0);
	sem_init(&seat->word, 0, 0);
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
	sem_init(&end, 0, 0);
	wake(&seats[cpu]);
	sem_post(&seats[cpu].word);
	sleep_until(&end);
}
