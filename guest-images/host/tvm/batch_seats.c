// SPDX-License-Identifier: BSD-2-Clause
/*
 * A thread for each CPU that a batch names, pinned there once. One of them has
 * the word at a time and passes it on when a line names another CPU. A thread
 * that moved from CPU to CPU would wait for the scheduler of each; one that
 * waits where it is has the word after a look at its own seat.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "batch.h"

/* Looks before a thread that waits gives its hart away: the word often comes back at once */
#define LOOKS	20000

static struct seat {
	pthread_t thread;
	bool taken;
	int cpu;
	/* Posted when the word is passed on to it */
	sem_t word;
	struct batch *batch;
} seats[CPU_SETSIZE];

/* Posted when there are no more lines */
static sem_t end;

void batch_wait(sem_t *event)
{
	for (unsigned int looks = 0; looks < LOOKS; looks++)
		if (!sem_trywait(event))
			return;
	/* A signal that ends the wait does not end what is waited for. */
	while (sem_wait(event))
		;
}

static void *sit(void *arg)
{
	struct seat *seat = arg;

	for (;;) {
		int64_t next;

		batch_wait(&seat->word);
		next = batch_lines(seat->batch, seat->cpu);
		sem_post(next < 0 ? &end : &seats[next].word);
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
	sem_post(&seats[cpu].word);
	batch_wait(&end);
}
