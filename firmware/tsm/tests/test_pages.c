// SPDX-License-Identifier: BSD-2-Clause
/* The tracker by itself. */
#include "tests/test.h"

static u64 sum_of_counters(void)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < PAGE_STATES; i++)
		sum += tsm_stats.pages[i];
	return sum;
}

static void all_pages_start_as_the_hosts(void)
{
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES);
	check_equal(page_state(POOL_BASE), PAGE_HOST);
	check_equal(page_state(POOL_BASE + POOL_SIZE - PAGE_SIZE), PAGE_HOST);
}

static void ranges_are_checked(void)
{
	const s64 address = COVE_ERR_INVALID_ADDRESS;
	const s64 param = COVE_ERR_INVALID_PARAM;

	check_equal(pages_check_range(POOL_BASE, POOL_PAGES), 0);
	check_equal(pages_check_range(POOL_BASE, POOL_PAGES + 1), address);
	check_equal(pages_check_range(POOL_BASE + PAGE_SIZE, POOL_PAGES),
		    address);
	check_equal(pages_check_range(POOL_BASE + 1, 1), address);
	check_equal(pages_check_range(POOL_BASE - PAGE_SIZE, 1), address);
	check_equal(pages_check_range(POOL_BASE + POOL_SIZE, 1), address);
	check_equal(pages_check_range(0, 1), address);
	check_equal(pages_check_range(~0xfffUL, 1), address);
	check_equal(pages_check_range(POOL_BASE, 0), param);
	check_equal(pages_check_range(POOL_BASE, ~0UL), param);
	check_equal(pages_check_range(POOL_BASE, 1UL << 52), param);
	check_equal(pages_check_range(POOL_BASE, (1UL << 52) - 1), address);
}

static void claim_is_all_or_nothing(void)
{
	check_equal(pages_claim(POOL_BASE + 2 * PAGE_SIZE, 1, PAGE_HOST), 0);
	check_equal(pages_claim(POOL_BASE, 4, PAGE_HOST),
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(pages_claim(POOL_BASE, 2, PAGE_HOST), 0);
	check_equal(pages_claim(POOL_BASE + 3 * PAGE_SIZE, 1, PAGE_HOST), 0);
	pages_unclaim(POOL_BASE, 4);
	check_equal(pages_claim(POOL_BASE, 4, PAGE_HOST), 0);
	check_equal(pages_claim(POOL_BASE, 1, PAGE_UNASSIGNED),
		    COVE_ERR_INVALID_ADDRESS);
}

static void owners_pages_come_back(void)
{
	check_equal(pages_claim(POOL_BASE, 10, PAGE_HOST), 0);
	pages_mark(POOL_BASE, 10, PAGE_UNASSIGNED);
	pages_give(POOL_BASE, 4, PAGE_TVM_STATE, 3);
	pages_give(POOL_BASE + 4 * PAGE_SIZE, 6, PAGE_TVM_DATA, 5);
	check_equal(tsm_stats.pages[PAGE_TVM_STATE], 4);
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], 6);
	check_equal(pages_take(5, 2), 2);
	/* Those given last come first. */
	check_equal(page_state(POOL_BASE + 9 * PAGE_SIZE), PAGE_UNASSIGNED);
	check_equal(page_state(POOL_BASE + 7 * PAGE_SIZE), PAGE_TVM_DATA);
	check_equal(pages_take(5, 100), 4);
	check_equal(pages_take(5, 100), 0);
	check_equal(pages_take(3, 100), 4);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], 10);
	check_equal(sum_of_counters(), POOL_PAGES);
}

static void host_memory_is_told_apart(void)
{
	const s64 bad = COVE_ERR_INVALID_ADDRESS;

	check_equal(host_check(HOST_BASE, PAGE_SIZE), 0);
	check_equal(host_check(RAM_BASE + RAM_SIZE - 8, 8), 0);
	check_equal(host_check(RAM_BASE + RAM_SIZE - 8, 9), bad);
	check_equal(host_check(RAM_BASE + RAM_SIZE, 1), bad);
	check_equal(host_check(0, 8), bad);
	check_equal(host_check(0x10000000, 8), bad);
	check_equal(host_check(~0UL - 3, 8), bad);
	check_equal(host_check(HOST_BASE, ~0UL), bad);
	check_equal(host_check(HOST_BASE, 0), bad);
	check_equal(host_check(FIRMWARE_BASE, 8), bad);
	check_equal(host_check(FIRMWARE_BASE + FIRMWARE_SIZE - 1, 8), bad);
	check_equal(host_check(FIRMWARE_BASE + FIRMWARE_SIZE, 8), 0);
	check_equal(host_check(TSM_BASE - 1, 2), bad);
	check_equal(host_check(TSM_BASE + TSM_SIZE - 1, 1), bad);
	check_equal(host_check(TSM_BASE - PAGE_SIZE, 2 * TSM_SIZE), bad);
	check_equal(host_check(POOL_BASE, POOL_SIZE), 0);
	check_equal(pages_claim(POOL_BASE + PAGE_SIZE, 1, PAGE_HOST), 0);
	check_equal(host_check(POOL_BASE, POOL_SIZE), bad);
	check_equal(host_check(POOL_BASE + PAGE_SIZE - 4, 8), bad);
	check_equal(host_check(POOL_BASE, PAGE_SIZE), 0);
}

/* What another TSM has, or may have the next moment, is not the host's. */
static void foreign_memory_is_not_the_hosts(void)
{
	const u64 base = HOST_BASE + 16 * PAGE_SIZE, size = 2 * PAGE_SIZE;
	const s64 bad = COVE_ERR_INVALID_ADDRESS;
	u8 bytes[8] = { 0 };

	check_equal(host_check(base, size), 0);
	fake_info.foreign[0] = (struct tee_range){ base, PAGE_SIZE };
	fake_info.foreign[1] = (struct tee_range){ base + PAGE_SIZE, PAGE_SIZE };
	fake_info.foreign_count = 2;
	check_equal(host_check(base, 8), bad);
	check_equal(host_check(base + size - 8, 8), bad);
	check_equal(host_check(base - 1, 2), bad);
	check_equal(host_check(base - PAGE_SIZE, 4 * PAGE_SIZE), bad);
	check_equal(host_check(base - PAGE_SIZE, PAGE_SIZE), 0);
	check_equal(host_check(base + size, PAGE_SIZE), 0);
	check_equal(host_copy_in(bytes, base + size - 4, 8), bad);
	check_equal(host_copy_out(base - 4, bytes, 8), bad);
	check_equal(host_share(base, 1), bad);
	check_equal(host_share(base + size, 1), 0);
	host_unshare(base + size, 1);
}

static void copies_move_all_or_nothing(void)
{
	u8 *host = phys_to_virt(POOL_BASE + PAGE_SIZE - 4);
	u8 bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	check_equal(host_copy_out(POOL_BASE + PAGE_SIZE - 4, bytes, 8), 0);
	check_equal(host[7], 8);
	check_equal(pages_claim(POOL_BASE + PAGE_SIZE, 1, PAGE_HOST), 0);
	memset(bytes, 0xee, sizeof(bytes));
	check_equal(host_copy_out(POOL_BASE + PAGE_SIZE - 4, bytes, 8),
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(host[0], 1);
	check_equal(host_copy_in(bytes, POOL_BASE + PAGE_SIZE - 4, 8),
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(bytes[0], 0xee);
}

const struct test page_tests[] = {
	{ "pages start as the host's", all_pages_start_as_the_hosts },
	{ "page ranges are checked", ranges_are_checked },
	{ "page claim is all or nothing", claim_is_all_or_nothing },
	{ "owner's pages come back", owners_pages_come_back },
	{ "host memory is told apart", host_memory_is_told_apart },
	{ "another TSM's memory is not the host's",
	  foreign_memory_is_not_the_hosts },
	{ "host copies move all or nothing", copies_move_all_or_nothing },
	{ NULL, NULL },
};
