// SPDX-License-Identifier: BSD-2-Clause
/* The global fence, through the calls of the host. */
#include "tests/test.h"

static void on(unsigned int hart)
{
	fake.hart = hart;
}

static void page_is_usable_after_all_harts(void)
{
	on(1);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	on(0);
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 3).error, 0);
	check_equal(page_state(POOL_BASE), PAGE_CONVERTING);
	check_equal(tsm_stats.pages[PAGE_CONVERTING], 3);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(page_state(POOL_BASE), PAGE_CONVERTING);
	on(1);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(page_state(POOL_BASE), PAGE_UNASSIGNED);
	check_equal(tsm_stats.pages[PAGE_CONVERTING], 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], 3);
}

static void local_fence_alone_settles_nothing(void)
{
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 1).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(page_state(POOL_BASE), PAGE_CONVERTING);
}

static void second_fence_waits_for_the_first(void)
{
	on(1);
	covh(LOCAL_FENCE, 0);
	on(0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, COVE_ERR_ALREADY_STARTED);
	covh(LOCAL_FENCE, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, COVE_ERR_ALREADY_STARTED);
	on(1);
	covh(LOCAL_FENCE, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
}

/* A page that is converted while a fence is open needs the next one. */
static void late_page_needs_its_own_fence(void)
{
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 1).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(CONVERT_PAGES, POOL_BASE + PAGE_SIZE, 2).error, 0);
	covh(LOCAL_FENCE, 0);
	check_equal(page_state(POOL_BASE), PAGE_UNASSIGNED);
	check_equal(page_state(POOL_BASE + PAGE_SIZE), PAGE_CONVERTING);
	check_equal(tsm_stats.pages[PAGE_CONVERTING], 2);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], 1);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	covh(LOCAL_FENCE, 0);
	check_equal(page_state(POOL_BASE + PAGE_SIZE), PAGE_UNASSIGNED);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], 3);
}

static void unseen_hart_is_not_waited_for(void)
{
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 1).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	covh(LOCAL_FENCE, 0);
	check_equal(page_state(POOL_BASE), PAGE_UNASSIGNED);
}

/* Its first call may be any call; it counts from then on. */
static void hart_seen_later_is_waited_for(void)
{
	covh(LOCAL_FENCE, 0);
	on(1);
	check_equal(teecall(0x3ff, 0, 0, 0, 0, 0, 0).error,
		    COVE_ERR_NOT_SUPPORTED);
	on(0);
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 1).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	covh(LOCAL_FENCE, 0);
	check_equal(page_state(POOL_BASE), PAGE_CONVERTING);
}

static void stop(unsigned int hart)
{
	fake.stopped |= 1UL << hart;
}

static void start(unsigned int hart)
{
	fake.stopped &= ~(1UL << hart);
}

/* Both harts have called; hart 0 has converted a page. */
static void convert_with_both_seen(void)
{
	on(1);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	on(0);
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 1).error, 0);
}

static void stopped_hart_is_not_waited_for(void)
{
	convert_with_both_seen();
	stop(1);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(page_state(POOL_BASE), PAGE_UNASSIGNED);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], 1);
}

static void hart_that_stops_late_lets_the_next_fence_begin(void)
{
	convert_with_both_seen();
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, COVE_ERR_ALREADY_STARTED);
	stop(1);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(page_state(POOL_BASE), PAGE_UNASSIGNED);
}

static void hart_that_stops_late_lets_a_page_be_used(void)
{
	convert_with_both_seen();
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 1).error,
		    COVE_ERR_INVALID_ADDRESS);
	stop(1);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 1).error, 0);
}

/* That harts stop does not replace the fence that nobody has begun. */
static void stopped_hart_begins_no_fence(void)
{
	convert_with_both_seen();
	stop(1);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 1).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(fake.asked, 0);
}

/* It owes nothing of the fence it has missed, but all of the next one. */
static void hart_that_starts_again_is_waited_for(void)
{
	stopped_hart_is_not_waited_for();
	start(1);
	check_equal(covh(CONVERT_PAGES, POOL_BASE + PAGE_SIZE, 1).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(page_state(POOL_BASE + PAGE_SIZE), PAGE_CONVERTING);
	on(1);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(page_state(POOL_BASE + PAGE_SIZE), PAGE_UNASSIGNED);
}

static void running_harts_are_waited_for(void)
{
	convert_with_both_seen();
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_true(fake.asked > 0);
	check_equal(page_state(POOL_BASE), PAGE_CONVERTING);
}

static void nobody_is_asked_without_need(void)
{
	convert_with_both_seen();
	on(0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	fake.asked = 0;
	on(1);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 1).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(fake.asked, 0);
}

const struct test fence_tests[] = {
	{ "fence needs all harts", page_is_usable_after_all_harts },
	{ "fence is not just local", local_fence_alone_settles_nothing },
	{ "fence waits for the first", second_fence_waits_for_the_first },
	{ "fence does not cover late pages", late_page_needs_its_own_fence },
	{ "fence ignores unseen harts", unseen_hart_is_not_waited_for },
	{ "fence waits for harts seen later", hart_seen_later_is_waited_for },
	{ "fence: stopped hart", stopped_hart_is_not_waited_for },
	{ "fence: hart stops late, next fence",
	  hart_that_stops_late_lets_the_next_fence_begin },
	{ "fence: hart stops late, page",
	  hart_that_stops_late_lets_a_page_be_used },
	{ "fence: stopping is no fence", stopped_hart_begins_no_fence },
	{ "fence: hart starts again", hart_that_starts_again_is_waited_for },
	{ "fence: running hart", running_harts_are_waited_for },
	{ "fence: no needless question", nobody_is_asked_without_need },
	{ NULL, NULL },
};
