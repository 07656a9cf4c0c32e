// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm visible: in turn each CPU converts a block and reclaims it. As soon as
 * its call has returned, no CPU can read the block, or all can. They read
 * through a mapping that they have just used, so nothing hides an old
 * translation or an old isolation.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crew.h"

#define BLOCK_PAGES	(BLOCK_SIZE / PAGE_SIZE)

static struct crew_options options = { .rounds = 2, .timeout_s = 30 };

static int fd;
static uint64_t base;
static volatile uint8_t *map;

/* Words that the processes share */
enum { PHASE, DONE };

/* The leader waits until all have looked, the others until it has moved. */
static bool meet(struct crew *crew, unsigned int leader, unsigned int index,
		 uint64_t phase)
{
	uint64_t *words = crew->shared->words;

	if (index == leader)
		return wait_for(&words[DONE], (phase - 1) * crew->count);
	return wait_for(&words[PHASE], phase);
}

static void announce(struct crew *crew, uint64_t phase)
{
	__atomic_store_n(&crew->shared->words[PHASE], phase, __ATOMIC_RELEASE);
}

static void looked(struct crew *crew)
{
	__atomic_fetch_add(&crew->shared->words[DONE], 1, __ATOMIC_ACQ_REL);
}

static void move(struct crew *crew, unsigned int index, bool convert)
{
	uint64_t args[] = { base, BLOCK_PAGES };
	struct covh_fence fence = { .sdid = DEFAULT_SDID };
	uint32_t fid = convert ? COVE_COVH_CONVERT_PAGES :
				 COVE_COVH_RECLAIM_PAGES;
	int64_t error;

	if (!convert)
		ioctl(fd, COVH_FENCE, &fence);
	error = device_covh(fd, DEFAULT_SDID, fid, args, 2, NULL);
	if (error)
		crew_fail(&crew->shared->tally[index], "%s: %s",
			  convert ? "convert_pages" : "reclaim_pages",
			  error_name(error));
}

/* The phases count 1, 2, ...: odd ones convert, even ones reclaim. */
static bool one_phase(struct crew *crew, unsigned int index, uint64_t phase)
{
	unsigned int leader = (phase - 1) / 2 % crew->count;
	struct tally *tally = &crew->shared->tally[index];
	bool closed = phase & 1;

	if (!meet(crew, leader, index, phase))
		return false;
	if (index == leader) {
		move(crew, index, closed);
		announce(crew, phase);
	}
	if (read_faults(map) != closed ||
	    read_faults(map + BLOCK_SIZE - 1) != closed)
		crew_fail(tally, closed ?
			  "CPU %d can read what CPU %d has converted" :
			  "CPU %d cannot read what CPU %d has reclaimed",
			  crew->cpu[index], crew->cpu[leader]);
	tally->rounds += index == leader;
	looked(crew);
	return true;
}

static void work(struct crew *crew, unsigned int index)
{
	uint64_t phases = 2 * options.rounds * crew->count;

	for (uint64_t phase = 1; phase <= phases; phase++)
		if (!one_phase(crew, index, phase)) {
			crew_fail(&crew->shared->tally[index], "CPU %d waited in vain in phase %llu",
				  crew->cpu[index], (unsigned long long)phase);
			return;
		}
}

static bool take_block(void)
{
	struct covh_pool_range range = { .pages = BLOCK_PAGES, .align = BLOCK_SIZE };

	fd = device_open();
	if (fd < 0 || ioctl(fd, COVH_POOL_ALLOC, &range)) {
		fputs("tvm: no block of the pool is free\n", stderr);
		return false;
	}
	base = range.base;
	map = mmap(NULL, BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, base);
	return map != MAP_FAILED;
}

enum status verb_visible(struct args *args)
{
	struct crew crew;
	enum status status;

	crew_parse(args, &options, false);
	stop_signals_install(options.timeout_s);
	/* The processes share the open file: its pages and its mapping. */
	if (!crew_prepare(&crew) || !take_block())
		return STATUS_FAILED;
	crew_start(&crew, work);
	status = crew_report(&crew, crew_wait(&crew));
	close(fd);
	return status;
}
