// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm storm: on each CPU a process that converts, fences, reclaims and
 * launches TVMs, all at once, each in pages of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crew.h"

#define BLOCK_PAGES	(BLOCK_SIZE / PAGE_SIZE)
/* A TVM takes far longer than a conversion: one to so many of those. */
#define CONVERSIONS	4

static struct crew_options options = { .rounds = 1, .timeout_s = 60 };

struct worker {
	struct tally *tally;
	struct tvm tvm;
	/* One block, and where it is mapped */
	struct area area;
	volatile uint8_t *map;
};

static int64_t move(struct worker *worker, uint32_t fid, uint64_t pages)
{
	uint64_t args[] = { worker->area.base, pages };
	int64_t error;

	/* Others hold the isolation entries for a moment only. */
	for (;;) {
		error = device_covh(worker->tvm.fd, DEFAULT_SDID, fid, args, 2,
				    NULL);
		if (error != COVE_ERR_OUT_OF_RANGES || stop_requested())
			return error;
		worker->tally->crowded++;
		sched_yield();
	}
}

/* Raw, so that fences of all harts get in each other's way. */
static void raw_fence(struct worker *worker)
{
	device_covh(worker->tvm.fd, DEFAULT_SDID, COVE_COVH_GLOBAL_FENCE, NULL,
		    0, NULL);
	device_covh(worker->tvm.fd, DEFAULT_SDID, COVE_COVH_LOCAL_FENCE, NULL,
		    0, NULL);
}

static bool fence(struct worker *worker)
{
	struct covh_fence all = { .sdid = DEFAULT_SDID };

	raw_fence(worker);
	if (ioctl(worker->tvm.fd, COVH_FENCE, &all))
		all.error = COVE_ERR_FAILED;
	worker->tally->fences++;
	if (all.error)
		crew_fail(worker->tally, "fence (function %u): %s", all.fid,
			  error_name(all.error));
	return !all.error;
}

static bool is_zero(const volatile uint8_t *page, uint64_t pages)
{
	for (uint64_t i = 0; i < pages * PAGE_SIZE; i += 64)
		if (page[i])
			return false;
	return true;
}

static bool closed(struct worker *worker, bool wanted, uint64_t pages)
{
	bool first = read_faults(worker->map);
	bool last = read_faults(worker->map + pages * PAGE_SIZE - 1);

	if (first == wanted && last == wanted)
		return true;
	crew_fail(worker->tally, wanted ? "a converted page can be read" :
					  "a reclaimed page faults");
	return false;
}

static bool convert_and_back(struct worker *worker, uint64_t pages)
{
	int64_t error;

	memset((void *)worker->map, 0xa5, pages * PAGE_SIZE);
	error = move(worker, COVE_COVH_CONVERT_PAGES, pages);
	if (error) {
		crew_fail(worker->tally, "convert_pages: %s", error_name(error));
		return false;
	}
	if (!closed(worker, true, pages) || !fence(worker))
		return false;
	error = move(worker, COVE_COVH_RECLAIM_PAGES, pages);
	if (error) {
		crew_fail(worker->tally, "reclaim_pages: %s", error_name(error));
		return false;
	}
	if (!closed(worker, false, pages))
		return false;
	if (!is_zero(worker->map, pages)) {
		crew_fail(worker->tally, "a reclaimed page is not zero");
		return false;
	}
	worker->tally->conversions++;
	return true;
}

/* The whole life of a TVM; all that is wrong with it is on stdout as well. */
static bool launch(struct worker *worker)
{
	struct run_end end = {};
	struct tvm *tvm = &worker->tvm;
	bool ok = tvm_launch(tvm) && tvm_run(tvm, 0, &end);
	bool back = tvm_teardown(tvm);

	if (!ok && tvm->error == COVE_ERR_OUT_OF_RANGES && back) {
		worker->tally->crowded++;
	} else if (!ok || !back) {
		crew_fail(worker->tally, "TVM %" PRIu64 ": launch and run %s, teardown %s; %s",
			  tvm->id, ok ? "ok" : "failed", back ? "ok" : "failed",
			  error_name(tvm->error));
		return false;
	} else {
		worker->tally->launches++;
	}
	tvm->created = false;
	tvm->error = 0;
	return true;
}

static bool take_block(struct worker *worker)
{
	struct covh_pool_range range = {
		.pages = BLOCK_PAGES, .align = BLOCK_SIZE,
		.flags = COVH_POOL_TOP,
	};
	void *map;

	worker->tvm.fd = device_open();
	if (worker->tvm.fd < 0 ||
	    ioctl(worker->tvm.fd, COVH_POOL_ALLOC, &range))
		return false;
	worker->area = (struct area){ .base = range.base, .pages = range.pages };
	map = mmap(NULL, BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		   worker->tvm.fd, range.base);
	worker->map = map;
	return map != MAP_FAILED;
}

static bool one_round(struct worker *worker, uint64_t round)
{
	for (unsigned int i = 0; i < CONVERSIONS; i++)
		/* Long calls, and ones that are over at once. */
		if (!convert_and_back(worker, i & 1 ? BLOCK_PAGES :
						      1 + round % 16))
			return false;
	return launch(worker);
}

static void work(struct crew *crew, unsigned int index)
{
	struct worker worker = { .tally = &crew->shared->tally[index] };
	char why[128];

	events_quiet();
	worker.tvm.sdid = DEFAULT_SDID;
	worker.tvm.patient = true;
	if (!image_load(&worker.tvm.image, options.path, why, sizeof(why))) {
		crew_fail(worker.tally, "%s", why);
		return;
	}
	if (!take_block(&worker)) {
		crew_fail(worker.tally, "no pages of the pool: %s", strerror(errno));
		return;
	}
	while (worker.tally->rounds < options.rounds && !stop_requested() &&
	       one_round(&worker, worker.tally->rounds))
		worker.tally->rounds++;
	close(worker.tvm.fd);
}

enum status verb_storm(struct args *args)
{
	struct crew crew;

	crew_parse(args, &options, true);
	stop_signals_install(options.timeout_s);
	if (!crew_prepare(&crew))
		return STATUS_FAILED;
	crew_start(&crew, work);
	return crew_report(&crew, crew_wait(&crew));
}
