// SPDX-License-Identifier: BSD-2-Clause
/*
 * The way back, from wherever the launch got to. Every step is tried even
 * when one before it failed: what can be given back is.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tvm.h"

static sigjmp_buf fault_return;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(fault_return, 1);
}

/* Counts through whole words: nearly all of them are zero. */
static uint64_t count_nonzero(const uint64_t *words, uint64_t count)
{
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < count; i++)
		for (uint64_t word = words[i]; word; word >>= 8)
			bytes += (word & 0xff) != 0;
	return bytes;
}

/* A page that is still confidential faults; that is a finding, not our end. */
static bool count_or_fault(const void *map, uint64_t size, uint64_t *bytes)
{
	struct sigaction action = { .sa_handler = on_fault };
	struct sigaction old_segv, old_bus;
	bool ok = false;

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &old_segv);
	sigaction(SIGBUS, &action, &old_bus);
	if (!sigsetjmp(fault_return, 1)) {
		*bytes = count_nonzero(map, size / sizeof(uint64_t));
		ok = true;
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return ok;
}

static bool inspect(struct tvm *tvm, uint64_t base, uint64_t pages,
		    uint64_t *nonzero)
{
	uint64_t size = pages * PAGE_SIZE;
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, tvm->fd, base);
	bool ok;

	*nonzero = 0;
	if (map == MAP_FAILED) {
		event_error("mmap", COVE_ERR_FAILED, "reclaimed pages cannot be mapped");
		return false;
	}
	ok = count_or_fault(map, size, nonzero);
	if (!ok)
		event_error("reclaim_pages", COVE_ERR_DENIED, "a reclaimed page faults: the firmware did not give it back");
	munmap(map, size);
	return ok;
}

static bool destroy(struct tvm *tvm)
{
	int64_t error;

	if (!tvm->created)
		return true;
	error = device_covh(tvm->fd, tvm->sdid, COVE_COVH_DESTROY_TVM,
			    &tvm->id, 1, NULL);
	event_destroy(error);
	return !error;
}

/* Whole blocks from the top: what is left stays one range. */
static int64_t reclaim_blocks(struct tvm *tvm, struct area *area)
{
	while (area->converted) {
		uint64_t left = area->converted - BLOCK_SIZE / PAGE_SIZE;
		uint64_t args[] = { area->base + left * PAGE_SIZE,
				    BLOCK_SIZE / PAGE_SIZE };
		int64_t error = device_covh(tvm->fd, tvm->sdid,
					    COVE_COVH_RECLAIM_PAGES, args, 2,
					    NULL);

		if (error == COVE_ERR_OUT_OF_RANGES && tvm->patient &&
		    !stop_requested()) {
			sched_yield();
			continue;
		}
		if (error)
			return error;
		area->converted = left;
	}
	return COVE_SUCCESS;
}

static bool reclaim(struct tvm *tvm)
{
	struct area *area = &tvm->memory;
	uint64_t pages = area->converted;
	uint64_t nonzero = 0;
	int64_t error;
	bool ok;

	if (!pages)
		return true;
	/* A launch that did not get to its fence, whether refused or stopped. */
	if (tvm->unfenced)
		tvm_fence(tvm);
	error = reclaim_blocks(tvm, area);
	ok = !error && inspect(tvm, area->base, pages, &nonzero);
	event_reclaim(pages - area->converted, error, nonzero);
	return ok && !nonzero;
}

/* The id must be refused now; reported for the caller to judge. */
static void run_once_more(struct tvm *tvm)
{
	uint64_t args[] = { tvm->id, 0 };

	if (tvm->created)
		event_gone(device_covh(tvm->fd, tvm->sdid,
				       COVE_COVH_RUN_TVM_VCPU, args, 2, NULL));
}

/** Give pages back to the pool; false if the driver keeps them. */
bool tvm_free_area(struct tvm *tvm, struct area *area)
{
	struct covh_pool_range range = { .base = area->base, .pages = area->pages };
	bool ok = !area->pages || !ioctl(tvm->fd, COVH_POOL_FREE, &range);

	if (ok)
		*area = (struct area){};
	return ok;
}

/** Undo all that tvm_launch() did; true if everything came back clean. */
bool tvm_teardown(struct tvm *tvm)
{
	bool ok = destroy(tvm);

	ok &= reclaim(tvm);
	run_once_more(tvm);
	ok &= tvm_free_area(tvm, &tvm->memory);
	ok &= tvm_free_area(tvm, &tvm->staging);
	event_done();
	return ok;
}
