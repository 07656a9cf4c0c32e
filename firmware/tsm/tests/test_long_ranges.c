// SPDX-License-Identifier: BSD-2-Clause
/* Long calls on a TVM that runs, resumed and dropped at every point. */
#include "tests/run.h"
#include "tests/script.h"

#define PAGES		200UL
#define FAR		(POOL_BASE + BUILD_PAGES * PAGE_SIZE)
#define GPA		(GUEST_BASE + 16 * PAGE_SIZE)
#define SIZE		(PAGES * PAGE_SIZE)
#define LARGE_PAGE	(POOL_BASE + 512 * PAGE_SIZE)
#define LARGE_GPA	(GUEST_BASE + GUEST_SIZE)

static void mapped_to(u64 gpa, u64 page, u64 pages)
{
	u64 i;

	for (i = 0; i < pages; i++)
		check_equal(gstage_lookup(AT_DIRECTORY, gpa + i * PAGE_SIZE),
			    page ? page + i * PAGE_SIZE : 0);
}

static u64 running_tvm(void)
{
	tvm = start_tvm();
	give_pages(FAR, PAGES);
	return tvm;
}

static struct answer add_zero(u64 id)
{
	return covh(ADD_TVM_ZERO_PAGES, id, FAR, 0, PAGES, GPA);
}

static void zero_added(u64 id)
{
	(void)id;
	mapped_to(GPA, FAR, PAGES);
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], PAGES + 2);
}

static u64 tvm_with_room(void)
{
	tvm = build_tvm();
	check_equal(covh(ADD_TVM_MEMORY_REGION, tvm, LARGE_GPA,
			 PAGE_SIZE << 9).error, 0);
	check_equal(covh(FINALIZE_TVM, tvm, GUEST_BASE, 0, 0).error, 0);
	give_pages(LARGE_PAGE, 512);
	return tvm;
}

static struct answer add_large(u64 id)
{
	return covh(ADD_TVM_ZERO_PAGES, id, LARGE_PAGE, 1, 1, LARGE_GPA);
}

static void large_added(u64 id)
{
	(void)id;
	mapped_to(LARGE_GPA, LARGE_PAGE, 512);
	check_equal(gstage_find(AT_DIRECTORY, LARGE_GPA).level, 1);
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], 514);
}

static u64 wanted_function;

static void change_region(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, wanted_function, GPA, SIZE, 0);
}

static u64 sharing_tvm(void)
{
	running_tvm();
	wanted_function = COVE_COVG_SHARE_MEMORY_REGION;
	check_equal(run(change_region).scause, CAUSE_ECALL_VS);
	test_nacl()->gpr[A0] = 0;
	check_equal(run(interrupt).error, 0);
	check_equal(covh(RECLAIM_PAGES, FAR, PAGES).error, 0);
	return tvm;
}

static struct answer add_shared(u64 id)
{
	return covh(ADD_TVM_SHARED_PAGES, id, FAR, 0, PAGES, GPA);
}

static void shared_added(u64 id)
{
	mapped_to(GPA, FAR, PAGES);
	/* Each page is counted once, and so can be let go of. */
	check_equal(covh(CONVERT_PAGES, FAR, 1).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(covh(TVM_INVALIDATE_PAGES, id, GPA, SIZE).error, 0);
	check_equal(covh(TVM_VALIDATE_PAGES, id, GPA, SIZE).error, 0);
	check_equal(covh(ADD_TVM_SHARED_PAGES, id, FAR, 0, PAGES, GPA).error,
		    COVE_ERR_INVALID_ADDRESS);
}

static u64 populated_tvm(void)
{
	running_tvm();
	check_equal(add_zero(tvm).error, 0);
	return tvm;
}

static struct answer invalidate(u64 id)
{
	return covh(TVM_INVALIDATE_PAGES, id, GPA, SIZE);
}

static void invalidated(u64 id)
{
	(void)id;
	mapped_to(GPA, 0, PAGES);
}

static u64 removable_tvm(void)
{
	populated_tvm();
	wanted_function = COVE_COVG_SHARE_MEMORY_REGION;
	check_equal(run(change_region).scause, CAUSE_ECALL_VS);
	check_equal(invalidate(tvm).error, 0);
	check_equal(covh(TVM_FENCE, tvm).error, 0);
	return tvm;
}

static struct answer remove_pages(u64 id)
{
	return covh(TVM_REMOVE_PAGES, id, GPA, SIZE);
}

static void removed(u64 id)
{
	(void)id;
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], 2);
	check_equal(gstage_find(AT_DIRECTORY, GPA).state, LEAF_NONE);
}

static const struct script scripts[] = {
	{ running_tvm, add_zero, zero_added },
	{ tvm_with_room, add_large, large_added },
	{ sharing_tvm, add_shared, shared_added },
	{ populated_tvm, invalidate, invalidated },
	{ removable_tvm, remove_pages, removed },
};

static void all_resume(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(scripts); i++)
		resume_everywhere(&scripts[i]);
}

static void all_are_dropped(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(scripts); i++)
		drop_everywhere(&scripts[i]);
}

/* A destroyed TVM lets go of what it shared, however often it is stopped. */
static struct answer destroy(u64 id)
{
	return covh(DESTROY_TVM, id);
}

static u64 full_tvm(void)
{
	sharing_tvm();
	check_equal(add_shared(tvm).error, 0);
	return tvm;
}

static void destroyed(u64 id)
{
	(void)id;
	check_equal(covh(CONVERT_PAGES, FAR, PAGES).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES);
	/* For the caller, which wants the same call to fail now. */
	check_equal(covh(DESTROY_TVM, id).error, PARAM);
}

static void shares_end_with_the_tvm(void)
{
	const struct script script = { full_tvm, destroy, destroyed };

	resume_everywhere(&script);
	drop_everywhere(&script);
}

/* A guest that asks for a change while a call is open asks again. */
static unsigned int tries;

static void ask_meanwhile(struct guest_context *guest)
{
	if (!tries++) {
		fake.hart = 1;
		fake.interrupt_after = 3;
		check_true(add_zero(tvm).interrupted);
		fake.hart = 0;
	}
	if (tries == 3) {
		check_equal(guest->sepc, GUEST_BASE);
		interrupt(guest);
		return;
	}
	change_region(guest);
}

static void regions_stay_while_a_call_is_open(void)
{
	running_tvm();
	wanted_function = COVE_COVG_SHARE_MEMORY_REGION;
	tries = 0;
	check_equal(run(ask_meanwhile).scause, CAUSE_INTERRUPT | 5);
	fake.hart = 1;
	check_equal(teecall_again().error, 0);
	zero_added(tvm);
}

const struct test long_range_tests[] = {
	{ "long: calls on a running TVM resume", all_resume },
	{ "long: calls on a running TVM are dropped", all_are_dropped },
	{ "long: shares end with the TVM", shares_end_with_the_tvm },
	{ "long: regions stay", regions_stay_while_a_call_is_open },
	{ NULL, NULL },
};
