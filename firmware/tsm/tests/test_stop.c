// SPDX-License-Identifier: BSD-2-Clause
/*
 * What happens beside an open call: the short calls of interrupt handlers on
 * its hart, and other harts when its hart has stopped.
 */
#include "tests/test.h"

#define PAGES	200UL
#define FAR	(POOL_BASE + BUILD_PAGES * PAGE_SIZE)
#define INFO	(HOST_BASE + 0x200000)

static struct answer to_the_end(struct answer answer)
{
	while (answer.interrupted)
		answer = teecall_again();
	return answer;
}

/* All that an interrupt handler may ask, with an interrupt waiting again. */
static void handler_calls(void)
{
	s64 fenced;

	fake.interrupt_always = true;
	fenced = covh(GLOBAL_FENCE, 0).error;
	check_true(!fenced || fenced == COVE_ERR_ALREADY_STARTED);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(covh(GET_TSM_INFO, INFO, 48).error, 0);
	check_equal(teecall(0x3ff, 0, 0, 0, 0, 0, 0).error,
		    COVE_ERR_NOT_SUPPORTED);
	fake.interrupt_always = false;
}

/* Whenever it is interrupted, nothing of it is undone or done twice. */
static void handler_drops_nothing(void)
{
	unsigned int n = 0;
	bool reached;

	do {
		fake_boot();
		fake.interrupt_after = ++n;
		reached = covh(CONVERT_PAGES, POOL_BASE, PAGES).interrupted;
		handler_calls();
		/* Without the resume mark, which the handler's calls took. */
		if (reached)
			check_equal(covh(CONVERT_PAGES, POOL_BASE,
					 PAGES).error, 0);
		check_equal(fake.assigns, 1);
		check_equal(fake.releases, 0);
		check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES - PAGES);
	} while (reached);
	check_true(n > 10);
}

static void handler_sees_no_half_reclaimed_page(void)
{
	give_pages(POOL_BASE, PAGES);
	memset(phys_to_virt(POOL_BASE), 0x5a, PAGES * PAGE_SIZE);
	fake.interrupt_after = 8;
	check_true(covh(RECLAIM_PAGES, POOL_BASE, PAGES).interrupted);
	handler_calls();
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], PAGES);
	fake.polls = 0;
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, PAGES).error, 0);
	/* It went on where it was: the claims and four scrubs were done. */
	check_true(fake.polls < 4 + PAGES / SCRUBS_A_STEP);
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES);
}

/* Hart 0 leaves a call open after n polls. @return whether it did */
static bool leave_open(u64 id, unsigned int n)
{
	bool open;

	fake.hart = 0;
	fake.interrupt_after = n;
	open = covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, FAR, 0, PAGES / 2,
		    GUEST_BASE + 2 * PAGE_SIZE).interrupted;
	fake.interrupt_after = 0;
	return open;
}

static u64 with_pages(void)
{
	u64 id;

	fake_boot();
	id = build_tvm();
	give_pages(FAR, PAGES);
	return id;
}

/* Hart 1 takes one step at a time, since its host wants it all the time. */
static void take_over(u64 id)
{
	fake.hart = 1;
	fake.interrupt_always = true;
	check_equal(to_the_end(covh(RECLAIM_PAGES, FAR, PAGES)).error, 0);
	check_equal(to_the_end(covh(DESTROY_TVM, id)).error, 0);
	fake.interrupt_always = false;
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES);
	check_equal(tsm_stats.tvms, 0);
}

static void stopped_hart_keeps_nothing(void)
{
	unsigned int n;
	u64 id;

	for (n = 1;; n++) {
		id = with_pages();
		if (!leave_open(id, n))
			break;
		fake.stopped = 1;
		watch_bounds();
		take_over(id);
	}
	check_true(n > 10);
}

/* A TVM that is kept is as much in the way as a page is. */
static void stopped_hart_keeps_no_tvm(void)
{
	u64 id = with_pages();

	check_true(leave_open(id, 20));
	fake.hart = 1;
	check_equal(covh(DESTROY_TVM, id).error, COVE_ERR_BUSY);
	fake.stopped = 1;
	check_equal(to_the_end(covh(DESTROY_TVM, id)).error, 0);
}

static void running_hart_keeps_its_call(void)
{
	u64 id = with_pages();

	check_true(leave_open(id, 20));
	fake.hart = 1;
	check_equal(covh(RECLAIM_PAGES, FAR, 1).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_true(fake.asked > 0);
	fake.hart = 0;
	fake.polls = 0;
	check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, FAR, 0,
			 PAGES / 2, GUEST_BASE + 2 * PAGE_SIZE).error, 0);
	check_true(fake.polls < PAGES / 2);
}

/* It comes back while another hart undoes its call, at each step of that. */
static void hart_that_comes_back_begins_anew(void)
{
	unsigned int n, i;
	u64 id;

	for (n = 1; n < 8; n++) {
		id = with_pages();
		check_true(leave_open(id, PAGES / 2));
		fake.stopped = 1;
		fake.hart = 1;
		fake.interrupt_always = true;
		check_true(covh(RECLAIM_PAGES, FAR, 1).interrupted);
		for (i = 0; i < n; i++)
			teecall_again();
		fake.interrupt_always = false;
		fake.stopped = 0;
		fake.hart = 0;
		check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE,
				 FAR + PAGE_SIZE, 0, PAGES / 2,
				 GUEST_BASE + 2 * PAGE_SIZE).error, 0);
		check_equal(tsm_stats.pages[PAGE_TVM_DATA], 2 + PAGES / 2);
		/* The call that hart 1 was about to make. */
		fake.hart = 1;
		to_the_end(covh(RECLAIM_PAGES, FAR, 1));
		check_equal(page_state(FAR), PAGE_HOST);
	}
}

/* Destroying cannot be undone: the other hart brings it to its end. */
static void stopped_destroy_is_finished(void)
{
	u64 id = with_pages();

	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id, FAR, PAGES).error, 0);
	fake.interrupt_after = 1;
	check_true(covh(DESTROY_TVM, id).interrupted);
	fake.stopped = 1;
	fake.hart = 1;
	check_equal(to_the_end(covh(RECLAIM_PAGES, FAR, PAGES)).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES);
	/* A hart that starts has no call that it could be making again. */
	fake.stopped = 0;
	fake.hart = 0;
	check_equal(covh(DESTROY_TVM, id).error, COVE_ERR_INVALID_PARAM);
}

/* The other hart does not take the answer for one of its own calls. */
static void finished_call_answers_nobody(void)
{
	u64 id = with_pages();

	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id, FAR, PAGES).error, 0);
	fake.interrupt_after = 1;
	check_true(covh(DESTROY_TVM, id).interrupted);
	fake.stopped = 1;
	fake.hart = 1;
	check_equal(to_the_end(covh(CREATE_TVM, RAM_BASE, 16)).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES + PAGES);
	check_equal(covh(DESTROY_TVM, id).error, COVE_ERR_INVALID_PARAM);
}

/* It comes back in the middle and never calls: the rest is still done. */
static void silent_hart_keeps_nothing(void)
{
	u64 id = with_pages();

	check_true(leave_open(id, PAGES / 2));
	fake.stopped = 1;
	fake.hart = 1;
	fake.interrupt_always = true;
	/* The refusal, its way back, the first step of the open call's. */
	check_true(covh(RECLAIM_PAGES, FAR, 1).interrupted);
	check_true(teecall_again().interrupted);
	check_true(teecall_again().interrupted);
	fake.stopped = 0;
	check_equal(to_the_end(teecall_again()).error, 0);
}

/* Half undone, the call is a new one, even if it looks the same. */
static void dropped_call_is_not_resumed(void)
{
	u64 id = with_pages();
	u64 tables = tsm_stats.pages[PAGE_TVM_PT];

	fake.interrupt_after = 10;
	check_true(covh(ADD_TVM_PAGE_TABLE_PAGES, id, FAR, PAGES).interrupted);
	fake.interrupt_always = true;
	check_true(other_call().interrupted);
	fake.interrupt_always = false;
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id, FAR, PAGES).error, 0);
	check_equal(tsm_stats.pages[PAGE_TVM_PT], tables + PAGES);
}

/* M-mode is asked only when another hart has a call open. */
static void refusals_ask_nobody(void)
{
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 1).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(fake.asked, 0);
}

const struct test stop_tests[] = {
	{ "stop: handler drops nothing", handler_drops_nothing },
	{ "stop: handler and reclaim", handler_sees_no_half_reclaimed_page },
	{ "stop: stopped hart keeps nothing", stopped_hart_keeps_nothing },
	{ "stop: stopped hart keeps no TVM", stopped_hart_keeps_no_tvm },
	{ "stop: running hart keeps its call", running_hart_keeps_its_call },
	{ "stop: hart comes back", hart_that_comes_back_begins_anew },
	{ "stop: destroy is finished", stopped_destroy_is_finished },
	{ "stop: finished call answers nobody", finished_call_answers_nobody },
	{ "stop: silent hart keeps nothing", silent_hart_keeps_nothing },
	{ "stop: dropped call is not resumed", dropped_call_is_not_resumed },
	{ "stop: refusals ask nobody", refusals_ask_nobody },
	{ NULL, NULL },
};
