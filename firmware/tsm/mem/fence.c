// SPDX-License-Identifier: BSD-2-Clause
/*
 * The global fence (cove.md 3.3). A page that is converted at version v may
 * be used once every hart that the TSM has seen has fenced at a later version.
 * A hart that has stopped counts as fenced: it holds nothing, and M-mode loads
 * the newest isolation and fences before the hart runs the host again.
 * At most one fence is open, so only two versions can be unsettled at a time:
 * the current one and the one before.
 *
 * All of it is under the tracker's lock: a fence changes page states.
 */
#include "arch/arch.h"
#include "mem/mem.h"
#include "trace/trace.h"

static struct {
	/* Version that conversions now get */
	u64 current;
	/* Pages of all versions below this one are settled */
	u64 settled;
	/* Version at which each hart has fenced */
	u64 hart[COVE_MAX_HARTS];
	/* A hart that never called cannot be waited for */
	bool seen[COVE_MAX_HARTS];
	/* Pages that are converting, by the version's lowest bit */
	u64 pages[2];
} fence;

void fence_init(void)
{
	memset(&fence, 0, sizeof(fence));
	fence.current = 1;
	fence.settled = 1;
}

static u64 oldest_version(void)
{
	u64 oldest = fence.current;
	unsigned int i;

	for (i = 0; i < COVE_MAX_HARTS; i++)
		if (fence.seen[i])
			oldest = min_u64(oldest, fence.hart[i]);
	return oldest;
}

/* The last hart has fenced: what waited for it is unassigned from now on. */
static void settle(void)
{
	u64 *waiting = &fence.pages[fence.settled & 1];

	tsm_stats.pages[PAGE_CONVERTING] -= *waiting;
	tsm_stats.pages[PAGE_UNASSIGNED] += *waiting;
	*waiting = 0;
	fence.settled = fence.current;
}

/*
 * M-mode is asked with the lock held. So no version can begin between its
 * answer and our note, and a hart that starts meanwhile does so later than all
 * pages below the current version were taken from the host.
 */
static void excuse_stopped_harts(void)
{
	u64 running = tsmd_harts_running();
	unsigned int i;

	for (i = 0; i < COVE_MAX_HARTS; i++)
		if (!(running >> i & 1))
			fence.hart[i] = fence.current;
}

/* M-mode is asked only when a hart is missing: nearly never. */
static void settle_if_possible(void)
{
	if (fence.settled == fence.current)
		return;
	if (oldest_version() <= fence.settled)
		excuse_stopped_harts();
	if (oldest_version() > fence.settled)
		settle();
}

static void __attribute__((noinline)) see_first_time(unsigned int hart)
{
	pages_lock();
	fence.seen[hart] = true;
	fence.hart[hart] = fence.current;
	pages_unlock();
}

void fence_see(unsigned int hart)
{
	/* Only this hart sets its own mark, so it may look without the lock. */
	if (!fence.seen[hart])
		see_first_time(hart);
}

s64 fence_start(void)
{
	s64 error = COVE_ERR_ALREADY_STARTED;

	pages_lock();
	settle_if_possible();
	if (fence.settled == fence.current) {
		fence.current++;
		error = COVE_SUCCESS;
	}
	pages_unlock();
	return error;
}

void fence_local(unsigned int hart)
{
	pages_lock();
	fence.hart[hart] = fence.current;
	settle_if_possible();
	pages_unlock();
}

u64 fence_version(void)
{
	return fence.current;
}

u64 fence_add_page(void)
{
	fence.pages[fence.current & 1]++;
	return fence.current;
}

void fence_drop_page(u64 version)
{
	if (!fence_settled(version))
		fence.pages[version & 1]--;
}

bool fence_settled(u64 version)
{
	return version < fence.settled;
}

void fence_look_again(u64 version)
{
	/* A page of the current version waits for a fence nobody has begun. */
	if (version < fence.current)
		settle_if_possible();
}
