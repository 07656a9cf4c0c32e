// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls that the host's interrupts cut short: resumed they end as if nothing
 * had been, dropped they leave nothing behind. Both at every possible point.
 */
#include "tests/script.h"

#define PAGES	200UL
#define FAR	(POOL_BASE + BUILD_PAGES * PAGE_SIZE)

static struct answer resume_to_the_end(struct answer answer)
{
	while (answer.interrupted)
		answer = teecall_again();
	return answer;
}

void resume_everywhere(const struct script *script)
{
	struct answer answer;
	unsigned int n = 0;
	bool reached;
	u64 id;

	do {
		fake_boot();
		id = script->prepare();
		watch_bounds();
		fake.interrupt_after = ++n;
		answer = script->call(id);
		reached = answer.interrupted;
		check_equal(resume_to_the_end(answer).error, 0);
		fake.interrupt_after = 0;
		script->verify(id);
	} while (reached);
	check_true(n > 2);
}

/* Another call waits until the open one is gone, one step at a time. */
static void drop_step_by_step(void)
{
	struct answer answer;

	fake.interrupt_after = 0;
	fake.interrupt_always = true;
	answer = other_call();
	check_true(answer.interrupted);
	check_equal(resume_to_the_end(answer).error, COVE_ERR_INVALID_PARAM);
	fake.interrupt_always = false;
}

void drop_everywhere(const struct script *script)
{
	struct tsm_stats before;
	struct answer answer;
	unsigned int n = 0;
	bool happened;
	u64 id;

	for (;;) {
		fake_boot();
		id = script->prepare();
		before = tsm_stats;
		watch_bounds();
		fake.interrupt_after = ++n;
		answer = script->call(id);
		if (!answer.interrupted)
			break;
		drop_step_by_step();
		/* Too late to undo: then it has happened wholly. */
		happened = memcmp(&before, &tsm_stats, sizeof(before));
		before = tsm_stats;
		/* Either way the host may execute it again and gets its wish. */
		check_equal(script->call(id).error, 0);
		if (happened)
			check_equal(memcmp(&before, &tsm_stats,
					   sizeof(before)), 0);
		script->verify(id);
		/* A resume of a call that is not open is a new call. */
		check_true(teecall_again().error != 0);
	}
	check_true(n > 2);
}

static u64 nothing(void)
{
	return 0;
}

static struct answer convert(u64 id)
{
	(void)id;
	return covh(CONVERT_PAGES, POOL_BASE, PAGES);
}

static void converted(u64 id)
{
	(void)id;
	check_equal(tsm_stats.pages[PAGE_CONVERTING], PAGES);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], PAGES);
	check_equal(pages_claim(POOL_BASE, PAGES, PAGE_UNASSIGNED), 0);
	pages_unclaim(POOL_BASE, PAGES);
	/* Converting once more fails, which drop_everywhere() relies on. */
	check_equal(covh(CONVERT_PAGES, POOL_BASE, PAGES).error,
		    COVE_ERR_INVALID_ADDRESS);
}

static u64 unassigned(void)
{
	give_pages(POOL_BASE, PAGES);
	memset(phys_to_virt(POOL_BASE), 0x5a, PAGES * PAGE_SIZE);
	return 0;
}

static struct answer reclaim(u64 id)
{
	(void)id;
	return covh(RECLAIM_PAGES, POOL_BASE, PAGES);
}

static void reclaimed(u64 id)
{
	const u8 *bytes = phys_to_virt(POOL_BASE);
	u64 i, sum = 0;

	(void)id;
	for (i = 0; i < PAGES * PAGE_SIZE; i++)
		sum |= bytes[i];
	check_equal(sum, 0);
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, PAGES).error,
		    COVE_ERR_INVALID_ADDRESS);
}

static u64 with_pages(void)
{
	u64 id = build_tvm();

	give_pages(FAR, PAGES);
	return id;
}

static struct answer add_tables(u64 id)
{
	return covh(ADD_TVM_PAGE_TABLE_PAGES, id, FAR, PAGES);
}

static void tables_added(u64 id)
{
	struct tvm *tvm;

	check_equal(tvm_lock(id, &tvm), 0);
	check_equal(tvm->free_table_count, PAGES + 1);
	tvm_unlock(tvm);
	check_equal(covh(DESTROY_TVM, id).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES + PAGES);
}

static struct answer add_measured(u64 id)
{
	return covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, FAR, 0, PAGES,
		    GUEST_BASE + 2 * PAGE_SIZE);
}

static u8 expected[DIGEST_SIZE];

static void measured_added(u64 id)
{
	struct tvm *tvm;
	u64 i;

	check_equal(tvm_lock(id, &tvm), 0);
	check_equal(memcmp(tvm->pages_digest, expected, DIGEST_SIZE), 0);
	for (i = 0; i < PAGES; i++)
		check_equal(gstage_lookup(tvm->root, GUEST_BASE +
					  (i + 2) * PAGE_SIZE),
			    FAR + i * PAGE_SIZE);
	tvm_unlock(tvm);
	check_equal(memcmp(phys_to_virt(FAR), phys_to_virt(HOST_BASE),
			   PAGES * PAGE_SIZE), 0);
	check_equal(covh(DESTROY_TVM, id).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES + PAGES);
}

static void learn_digest(void)
{
	struct tvm *tvm;
	u64 id = with_pages();

	check_equal(add_measured(id).error, 0);
	check_equal(tvm_lock(id, &tvm), 0);
	memcpy(expected, tvm->pages_digest, DIGEST_SIZE);
	tvm_unlock(tvm);
}

static u64 big_tvm(void)
{
	u64 id = with_pages();

	check_equal(add_tables(id).error, 0);
	return id;
}

static struct answer destroy(u64 id)
{
	return covh(DESTROY_TVM, id);
}

static void destroyed(u64 id)
{
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES + PAGES);
	check_equal(tsm_stats.tvms, 0);
	check_equal(covh(DESTROY_TVM, id).error, COVE_ERR_INVALID_PARAM);
	create_tvm();
}

static const struct script convert_script = { nothing, convert, converted };
static const struct script reclaim_script = { unassigned, reclaim, reclaimed };
static const struct script tables_script = { with_pages, add_tables,
					     tables_added };
static const struct script measured_script = { with_pages, add_measured,
					       measured_added };
static const struct script destroy_script = { big_tvm, destroy, destroyed };

static void convert_resumes(void)
{
	resume_everywhere(&convert_script);
}

static void convert_is_dropped(void)
{
	drop_everywhere(&convert_script);
}

static void reclaim_resumes(void)
{
	resume_everywhere(&reclaim_script);
}

static void reclaim_is_dropped(void)
{
	drop_everywhere(&reclaim_script);
}

static void tables_resume(void)
{
	resume_everywhere(&tables_script);
}

static void tables_are_dropped(void)
{
	drop_everywhere(&tables_script);
}

static void measured_resumes(void)
{
	learn_digest();
	resume_everywhere(&measured_script);
}

static void measured_is_dropped(void)
{
	learn_digest();
	drop_everywhere(&measured_script);
}

static void destroy_resumes(void)
{
	resume_everywhere(&destroy_script);
}

static void destroy_is_dropped(void)
{
	drop_everywhere(&destroy_script);
}

/* Until it is resumed or dropped, nobody else gets at the TVM or the pages. */
static void open_call_keeps_others_out(void)
{
	u64 id = with_pages();

	fake.interrupt_after = 10;
	check_true(add_measured(id).interrupted);
	fake.hart = 1;
	check_equal(covh(DESTROY_TVM, id).error, COVE_ERR_BUSY);
	check_equal(covh(RECLAIM_PAGES, FAR, 1).error,
		    COVE_ERR_INVALID_ADDRESS);
	fake.hart = 0;
	check_equal(other_call().error, COVE_ERR_INVALID_PARAM);
	fake.hart = 1;
	check_equal(covh(RECLAIM_PAGES, FAR, 1).error, 0);
	check_equal(covh(DESTROY_TVM, id).error, 0);
}

/* The source becomes confidential while the call is open. */
static void source_that_goes_away_undoes_all(void)
{
	struct tsm_stats before;
	u64 id = with_pages();
	u64 source = FAR + PAGES * PAGE_SIZE;

	fake.interrupt_after = 20;
	check_true(covh(ADD_TVM_MEASURED_PAGES, id, source, FAR, 0, 100,
			GUEST_BASE + 2 * PAGE_SIZE).interrupted);
	fake.hart = 1;
	check_equal(covh(CONVERT_PAGES, source + 99 * PAGE_SIZE, 1).error, 0);
	before = tsm_stats;
	fake.hart = 0;
	{
		struct teecall again = {
			.args = { id, source, FAR, 0, 100,
				  GUEST_BASE + 2 * PAGE_SIZE,
				  1UL << COVE_A6_SDID_SHIFT |
				  COVE_COVH_ADD_TVM_MEASURED_PAGES,
				  COVE_EID_COVH },
			.resume = COVE_TEECALL_RESUME,
		};

		check_equal(call_dispatch(&again).error,
			    COVE_ERR_INVALID_ADDRESS);
	}
	check_equal(memcmp(&before, &tsm_stats, sizeof(before)), 0);
	check_equal(covh(RECLAIM_PAGES, FAR, PAGES).error, 0);
	check_equal(covh(DESTROY_TVM, id).error, 0);
}

/* M-mode has no entry left for the hole that the undo would make. */
static void undo_that_is_refused_goes_forward(void)
{
	fake.interrupt_after = 6;
	check_true(convert(0).interrupted);
	check_equal(fake.assigns, 1);
	fake.release_error = COVE_ERR_OUT_OF_RANGES;
	check_equal(other_call().error, COVE_ERR_INVALID_PARAM);
	check_equal(fake.releases, 1);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	check_equal(covh(LOCAL_FENCE, 0).error, 0);
	check_equal(pages_claim(POOL_BASE, 64, PAGE_UNASSIGNED), 0);
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES - PAGES);
}

const struct test long_tests[] = {
	{ "long: convert resumes", convert_resumes },
	{ "long: convert is dropped", convert_is_dropped },
	{ "long: reclaim resumes", reclaim_resumes },
	{ "long: reclaim is dropped", reclaim_is_dropped },
	{ "long: page tables resume", tables_resume },
	{ "long: page tables are dropped", tables_are_dropped },
	{ "long: measured pages resume", measured_resumes },
	{ "long: measured pages are dropped", measured_is_dropped },
	{ "long: destroy resumes", destroy_resumes },
	{ "long: destroy is dropped", destroy_is_dropped },
	{ "long: open call keeps others out", open_call_keeps_others_out },
	{ "long: source goes away", source_that_goes_away_undoes_all },
	{ "long: refused undo", undo_that_is_refused_goes_forward },
	{ NULL, NULL },
};
