// SPDX-License-Identifier: BSD-2-Clause
/*
 * A host that changes its mind: while a call is made, another CPU writes one
 * value and the other to memory that the TSM reads for it, as fast as it can:
 * what the TSM reads twice may be two things. Afterwards the memory has what it
 * had before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "batch.h"

static struct flip {
	pthread_t thread;
	volatile uint64_t *word;
	void *page;
	/* What was there, and what is there now and then */
	uint64_t before;
	uint64_t other;
	bool begun;
	bool stop;
} flip;

/* Hold a value for a while, never the same: no call has a rhythm that fits. */
static void hold(uint64_t value)
{
	static uint64_t chance = 1;

	chance = chance * 6364136223846793005 + 1442695040888963407;
	for (uint64_t left = chance >> 58; left; left--)
		*flip.word = value;
}

static void *flip_all_the_time(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&flip.stop, __ATOMIC_ACQUIRE)) {
		hold(flip.other);
		__atomic_store_n(&flip.begun, true, __ATOMIC_RELEASE);
		hold(flip.before);
	}
	*flip.word = flip.before;
	return NULL;
}

static bool map_word(int fd, uint64_t addr)
{
	uint64_t page = addr & ~(uint64_t)(PAGE_SIZE - 1);

	flip.page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, page);
	if (flip.page == MAP_FAILED) {
		fprintf(stderr, "tvm: --flip %#llx: %s; it has to be in the pool, and the driver hostile\n",
			(unsigned long long)addr, strerror(errno));
		return false;
	}
	flip.word = (uint64_t *)((uint8_t *)flip.page + (addr - page));
	flip.before = *flip.word;
	return true;
}

static bool begin(void)
{
	pthread_attr_t attr;
	bool begun;

	pthread_attr_init(&attr);
	begun = batch_elsewhere(&attr) &&
		!pthread_create(&flip.thread, &attr, flip_all_the_time, NULL);
	pthread_attr_destroy(&attr);
	if (!begun)
		fprintf(stderr, "tvm: --flip needs another CPU online\n");
	return begun;
}

/** Begin, and wait until the other CPU has been there. */
bool flip_begin(int fd, const struct call_options *options)
{
	flip = (struct flip){ .other = options->flip_value };
	if (options->flip_addr % sizeof(uint64_t))
		usage_error("--flip: ADDR is that of a word of 8 bytes");
	if (!map_word(fd, options->flip_addr) || !begin())
		return false;
	while (!__atomic_load_n(&flip.begun, __ATOMIC_ACQUIRE))
		sched_yield();
	return true;
}

void flip_end(void)
{
	__atomic_store_n(&flip.stop, true, __ATOMIC_RELEASE);
	pthread_join(flip.thread, NULL);
	munmap(flip.page, PAGE_SIZE);
}
