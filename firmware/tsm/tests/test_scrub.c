// SPDX-License-Identifier: BSD-2-Clause
/* Pages of zeros, by cbo.zero where the harts have it. */
#include "tests/test.h"

#define PAGES	3UL

/* All bytes of the pages are this one. */
static bool filled(u64 page, u64 pages, u8 with)
{
	const u8 *at = phys_to_virt(page);
	u64 i;

	for (i = 0; i < pages << PAGE_SHIFT; i++)
		if (at[i] != with)
			return false;
	return true;
}

/* The pages in the middle of dirty ones become zero, and no other does. */
static void scrub_some(void)
{
	memset(phys_to_virt(POOL_BASE), 0xa5, (PAGES + 2) << PAGE_SHIFT);
	pages_scrub(POOL_BASE + PAGE_SIZE, PAGES);
	check_true(filled(POOL_BASE, 1, 0xa5));
	check_true(filled(POOL_BASE + PAGE_SIZE, PAGES, 0));
	check_true(filled(POOL_BASE + (PAGES + 1) * PAGE_SIZE, 1, 0xa5));
}

static void blocks_of_all_sizes(void)
{
	u64 size;

	for (size = 8; size <= PAGE_SIZE; size *= 2) {
		fake_zicboz(size);
		scrub_some();
		check_equal(fake.blocks_zeroed, PAGES * PAGE_SIZE / size);
	}
}

static void harts_without_zicboz(void)
{
	fake_zicboz(0);
	scrub_some();
	check_equal(fake.blocks_zeroed, 0);
}

/* What M-mode says counts: it may keep the instruction to itself. */
static void instruction_that_is_not_for_the_tsm(void)
{
	fake_info.features = 0;
	fake.blocks_zeroed = 0;
	scrub_init(&fake_info);
	scrub_some();
	check_equal(fake.blocks_zeroed, 0);
}

static void zero_pages_take_it(void)
{
	u64 id = start_tvm();

	fake.blocks_zeroed = 0;
	memset(phys_to_virt(AT_DATA + 8 * PAGE_SIZE), 0xa5, PAGE_SIZE);
	check_equal(covh(ADD_TVM_ZERO_PAGES, id, AT_DATA + 8 * PAGE_SIZE, 0, 1,
			 GUEST_BASE + 16 * PAGE_SIZE).error, 0);
	check_true(filled(AT_DATA + 8 * PAGE_SIZE, 1, 0));
	check_equal(fake.blocks_zeroed, PAGE_SIZE / 64);
}

const struct test scrub_tests[] = {
	{ "scrub by blocks of all sizes", blocks_of_all_sizes },
	{ "scrub without Zicboz", harts_without_zicboz },
	{ "scrub without leave", instruction_that_is_not_for_the_tsm },
	{ "scrub zero pages", zero_pages_take_it },
	{ NULL, NULL },
};
