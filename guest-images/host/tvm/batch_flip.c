// SPDX-License-Identifier: BSD-2-Clause
/*
 * A host that changes its mind: while a call is made, another CPU writes one
 * value and the other to memory that the TSM reads for it. Afterwards the
 * memory has what it had before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "batch.h"

static struct flip {
	pthread_t thread;
	int fd;
	uint64_t addr;
	/* What was there, and what is there now and then */
	uint64_t values[2];
	unsigned int rounds;
	bool stop;
	bool failed;
} flip;

static bool move_word(unsigned long request, uint64_t *word)
{
	struct covh_mem mem = {
		.addr = flip.addr, .buf = (uintptr_t)word, .len = sizeof(*word),
	};

	if (!ioctl(flip.fd, request, &mem) && !mem.fault)
		return true;
	fprintf(stderr, "tvm: --flip %#llx: %s\n", (unsigned long long)flip.addr,
		mem.fault ? "this memory is not the host's" : strerror(errno));
	return false;
}

static void *flip_all_the_time(void *arg)
{
	(void)arg;
	while (!flip.failed && !__atomic_load_n(&flip.stop, __ATOMIC_ACQUIRE)) {
		unsigned int next = (flip.rounds + 1) % 2;

		if (!move_word(COVH_POKE, &flip.values[next]))
			flip.failed = true;
		__atomic_store_n(&flip.rounds, flip.rounds + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Any CPU but that of the call */
static bool elsewhere(pthread_attr_t *attr)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < online; cpu++)
		if (cpu != sched_getcpu())
			CPU_SET(cpu, &set);
	pthread_attr_setaffinity_np(attr, sizeof(set), &set);
	return CPU_COUNT(&set);
}

/** Begin, and wait until the other CPU has been there. */
bool flip_begin(int fd, const struct call_options *options)
{
	pthread_attr_t attr;
	bool begun;

	flip = (struct flip){ .fd = fd, .addr = options->flip_addr };
	flip.values[1] = options->flip_value;
	if (!move_word(COVH_PEEK, &flip.values[0]))
		return false;
	pthread_attr_init(&attr);
	begun = elsewhere(&attr) &&
		!pthread_create(&flip.thread, &attr, flip_all_the_time, NULL);
	pthread_attr_destroy(&attr);
	if (!begun) {
		fprintf(stderr, "tvm: --flip needs another CPU online\n");
		return false;
	}
	while (!__atomic_load_n(&flip.rounds, __ATOMIC_ACQUIRE))
		sched_yield();
	return true;
}

bool flip_end(void)
{
	__atomic_store_n(&flip.stop, true, __ATOMIC_RELEASE);
	pthread_join(flip.thread, NULL);
	return !flip.failed && move_word(COVH_POKE, &flip.values[0]);
}
