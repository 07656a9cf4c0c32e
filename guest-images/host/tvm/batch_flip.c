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
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "batch.h"

static struct flip {
	pthread_t thread;
	bool exists;
	/* Posted to begin, once it has begun, and once it has come to its end */
	sem_t begin;
	sem_t begun;
	sem_t ended;
	bool stop;
	uint64_t page;
	uint8_t *map;
	volatile uint64_t *word;
	/* What was there, and what is there now and then */
	uint64_t before;
	uint64_t other;
	/* How often one has taken the other's place, and how often when the call began */
	uint64_t turns;
	uint64_t turns_before;
	/* Calls in which that went on all the time */
	uint64_t raced;
} flip;

/* Turns that a call takes where the two CPUs really go on at the same time */
#define MANY_TURNS	16
/* Turns that are seen one by one before a call, and how long they are looked for */
#define SEEN_TURNS	8
#define MEET_LOOKS	200000

/* Hold a value for a while, never the same: no call has a rhythm that fits. */
static void hold(uint64_t value)
{
	static uint64_t chance = 1;

	chance = chance * 6364136223846793005 + 1442695040888963407;
	for (uint64_t left = (chance >> 58) + 1; left; left--)
		*flip.word = value;
}

static void turn(void)
{
	hold(flip.other);
	sem_post(&flip.begun);
	while (!__atomic_load_n(&flip.stop, __ATOMIC_ACQUIRE)) {
		hold(flip.before);
		hold(flip.other);
		__atomic_fetch_add(&flip.turns, 2, __ATOMIC_RELAXED);
	}
	*flip.word = flip.before;
	sem_post(&flip.ended);
}

static void *flip_when_told(void *arg)
{
	(void)arg;
	for (;;) {
		batch_wait(&flip.begin);
		turn();
	}
	return NULL;
}

/* The page stays mapped until another one is wanted. */
static bool map_word(int fd, uint64_t addr)
{
	uint64_t page = addr & ~(uint64_t)(PAGE_SIZE - 1);

	if (flip.map && flip.page != page)
		munmap(flip.map, PAGE_SIZE);
	if (!flip.map || flip.page != page)
		flip.map = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, page);
	if (flip.map == MAP_FAILED) {
		flip.map = NULL;
		fprintf(stderr, "tvm: --flip %#llx: %s; it has to be in the pool, and the driver hostile\n",
			(unsigned long long)addr, strerror(errno));
		return false;
	}
	flip.page = page;
	flip.word = (uint64_t *)(flip.map + (addr - page));
	return true;
}

static bool have_thread(void)
{
	pthread_attr_t attr;

	if (flip.exists)
		return true;
	sem_init(&flip.begin, 0, 0);
	sem_init(&flip.begun, 0, 0);
	sem_init(&flip.ended, 0, 0);
	pthread_attr_init(&attr);
	flip.exists = batch_elsewhere(&attr) &&
		      !pthread_create(&flip.thread, &attr, flip_when_told, NULL);
	pthread_attr_destroy(&attr);
	if (!flip.exists)
		fprintf(stderr, "tvm: --flip needs another CPU online\n");
	return flip.exists;
}

/*
 * Wait until both CPUs go on at the same time, within reason. Where they share
 * a core, all turns of one fall between two looks of the other.
 */
static void meet(void)
{
	uint64_t before = __atomic_load_n(&flip.turns, __ATOMIC_RELAXED);
	unsigned int seen = 0;

	for (unsigned int looks = 0; looks < MEET_LOOKS && seen < SEEN_TURNS; looks++) {
		uint64_t turns = __atomic_load_n(&flip.turns, __ATOMIC_RELAXED);

		seen += turns != before;
		before = turns;
	}
}

/** Begin, and wait until the other CPU has been there. */
bool flip_begin(int fd, const struct call_options *options)
{
	if (options->flip_addr % sizeof(uint64_t))
		usage_error("--flip: ADDR is that of a word of 8 bytes");
	if (!map_word(fd, options->flip_addr) || !have_thread())
		return false;
	flip.before = *flip.word;
	flip.other = options->flip_value;
	flip.stop = false;
	sem_post(&flip.begin);
	batch_wait(&flip.begun);
	meet();
	flip.turns_before = __atomic_load_n(&flip.turns, __ATOMIC_RELAXED);
	return true;
}

void flip_end(void)
{
	uint64_t turns = __atomic_load_n(&flip.turns, __ATOMIC_RELAXED);

	__atomic_store_n(&flip.stop, true, __ATOMIC_RELEASE);
	batch_wait(&flip.ended);
	flip.raced += turns - flip.turns_before >= MANY_TURNS;
}

/** Do what `host raced` says: how many calls were. False when the line is another. */
bool flip_line(struct args *args, struct covh_call *call)
{
	if (strcmp(args->words[args->next], "raced"))
		return false;
	args->next++;
	call->value = flip.raced;
	return true;
}
