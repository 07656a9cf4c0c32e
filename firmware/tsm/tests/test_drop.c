// SPDX-License-Identifier: BSD-2-Clause
/*
 * The way back of a call, and the bound on what is done between two polls.
 */
#include "tests/test.h"

#define PAGES	200UL
#define FAR	(POOL_BASE + BUILD_PAGES * PAGE_SIZE)

static struct answer convert(void)
{
	return covh(CONVERT_PAGES, POOL_BASE, PAGES);
}

static struct answer add_tables(u64 id)
{
	return covh(ADD_TVM_PAGE_TABLE_PAGES, id, FAR, PAGES);
}

/*
 * The host wants something else while the call that it has given up is still
 * on its way back. Even the given-up call itself is a new one then.
 */
static void drop_survives_other_calls(void)
{
	struct tsm_stats before;
	u64 id = build_tvm();

	give_pages(FAR, PAGES);
	before = tsm_stats;
	fake.interrupt_after = 10;
	check_true(add_tables(id).interrupted);
	fake.interrupt_always = true;
	check_true(other_call().interrupted);
	check_true(covh(FINALIZE_TVM, 0, 0).interrupted);
	check_true(add_tables(id).interrupted);
	fake.interrupt_always = false;
	check_equal(other_call().error, COVE_ERR_INVALID_PARAM);
	check_equal(memcmp(&before, &tsm_stats, sizeof(before)), 0);
	check_equal(add_tables(id).error, 0);
}

/* Destroying goes on when it is given up; its answer waits for one call. */
static void answer_is_kept_for_the_next_long_call(void)
{
	u64 id = build_tvm();

	give_pages(FAR, PAGES);
	check_equal(add_tables(id).error, 0);
	fake.interrupt_after = 1;
	check_true(covh(DESTROY_TVM, id).interrupted);
	check_equal(other_call().error, COVE_ERR_INVALID_PARAM);
	fake.hart = 1;
	check_equal(covh(DESTROY_TVM, id).error, COVE_ERR_INVALID_PARAM);
	fake.hart = 0;
	check_equal(covh(RECLAIM_PAGES, FAR, PAGES).error, 0);
	check_equal(covh(DESTROY_TVM, id).error, COVE_ERR_INVALID_PARAM);
}

/* The last page is not the host's any more: all claims have to go again. */
static void failure_is_undone_in_steps(void)
{
	struct tsm_stats before;
	struct answer answer;
	unsigned int calls = 1;

	check_equal(covh(CONVERT_PAGES, POOL_BASE + (PAGES - 1) * PAGE_SIZE,
			 1).error, 0);
	before = tsm_stats;
	watch_bounds();
	fake.interrupt_always = true;
	for (answer = convert(); answer.interrupted; calls++)
		answer = teecall_again();
	check_equal(answer.error, COVE_ERR_INVALID_ADDRESS);
	check_true(calls > 2 * (PAGES / PAGES_A_STEP));
	check_equal(memcmp(&before, &tsm_stats, sizeof(before)), 0);
	check_equal(pages_claim(POOL_BASE, PAGES - 1, PAGE_HOST), 0);
}

/* Nobody comes for the error of a call that failed and was then given up. */
static void failed_call_can_be_given_up(void)
{
	check_equal(covh(CONVERT_PAGES, POOL_BASE + (PAGES - 1) * PAGE_SIZE,
			 1).error, 0);
	fake.interrupt_after = PAGES / PAGES_A_STEP + 2;
	check_true(convert().interrupted);
	fake.interrupt_always = true;
	check_true(other_call().interrupted);
	fake.interrupt_always = false;
	check_equal(other_call().error, COVE_ERR_INVALID_PARAM);
	check_equal(pages_claim(POOL_BASE, PAGES - 1, PAGE_HOST), 0);
}

/* The host's largest wish costs no more between two polls than a small one. */
static void whole_pool_is_done_in_steps(void)
{
	watch_bounds();
	check_equal(covh(CONVERT_PAGES, POOL_BASE, POOL_PAGES).error, 0);
	check_true(fake.polls >= 2 * POOL_PAGES / PAGES_A_STEP);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	memset(phys_to_virt(POOL_BASE), 0x5a, POOL_SIZE);
	fake.polls = 0;
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, POOL_PAGES).error, 0);
	check_true(fake.polls >= POOL_PAGES / SCRUBS_A_STEP);
}

static s64 convert_huge(u64 pages)
{
	return covh(CONVERT_PAGES, POOL_BASE, pages).error;
}

/* No size makes a check of host memory long, and no count is believed. */
static void huge_sizes_are_refused_at_once(void)
{
	u64 id = build_tvm();

	fake.polls = 0;
	check_equal(covh(GET_TSM_INFO, HOST_BASE, ~0UL).error, 0);
	check_equal(covh(CREATE_TVM, RAM_BASE, ~0UL).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_true(convert_huge(~0UL) != 0);
	check_true(convert_huge(~0UL >> PAGE_SHIFT) != 0);
	check_true(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, FAR, 0,
			~0UL >> PAGE_SHIFT, GUEST_BASE).error != 0);
	check_equal(fake.polls, 0);
}

const struct test drop_tests[] = {
	{ "drop: other calls during a drop", drop_survives_other_calls },
	{ "drop: kept answer", answer_is_kept_for_the_next_long_call },
	{ "drop: failure is undone in steps", failure_is_undone_in_steps },
	{ "drop: failed call is given up", failed_call_can_be_given_up },
	{ "drop: whole pool", whole_pool_is_done_in_steps },
	{ "drop: huge sizes", huge_sizes_are_refused_at_once },
	{ NULL, NULL },
};
