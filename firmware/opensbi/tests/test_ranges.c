/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The set of confidential ranges against a bitmap that does the same slowly,
 * and its PMP encoding against the privileged specification.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tsmd_ranges.h"

#define PAGES	64

static unsigned int passed, failed;

static void check(int ok, const char *what, int line)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("test_ranges.c:%d: %s\n", line, what);
}

#define CHECK(condition)	check(condition, #condition, __LINE__)

static unsigned long page(unsigned long n)
{
	return 0x90000000UL + (n << TSMD_PAGE_SHIFT);
}

static void test_add(void)
{
	struct tsmd_ranges set = { 0 };

	CHECK(tsmd_ranges_add(&set, page(4), page(6)) == 0);
	CHECK(tsmd_ranges_add(&set, page(5), page(7)) == -1);
	CHECK(tsmd_ranges_add(&set, page(8), page(9)) == 0);
	CHECK(set.count == 2);
	/* The gap closes: three pieces become one range. */
	CHECK(tsmd_ranges_add(&set, page(6), page(8)) == 0);
	CHECK(set.count == 1);
	CHECK(set.range[0].start == page(4) && set.range[0].end == page(9));
}

static void test_remove(void)
{
	struct tsmd_ranges set = { 0 };

	CHECK(tsmd_ranges_add(&set, page(0), page(8)) == 0);
	CHECK(tsmd_ranges_remove(&set, page(7), page(9)) == -1);
	CHECK(tsmd_ranges_remove(&set, page(2), page(4)) == 0);
	CHECK(set.count == 2);
	CHECK(!tsmd_ranges_overlap(&set, page(2), page(4)));
	CHECK(tsmd_ranges_overlap(&set, page(3), page(5)));
	CHECK(tsmd_ranges_remove(&set, page(1), page(5)) == -1);
	CHECK(tsmd_ranges_remove(&set, page(0), page(2)) == 0);
	CHECK(tsmd_ranges_remove(&set, page(4), page(8)) == 0);
	CHECK(set.count == 0);
}

static void test_full(void)
{
	struct tsmd_ranges set = { 0 }, before;
	unsigned long i;

	for (i = 0; i < TSMD_MAX_RANGES; i++)
		CHECK(tsmd_ranges_add(&set, page(4 * i), page(4 * i + 3)) == 0);
	before = set;
	CHECK(tsmd_ranges_add(&set, page(100), page(101)) == -2);
	CHECK(tsmd_ranges_remove(&set, page(1), page(2)) == -2);
	CHECK(!memcmp(&set, &before, sizeof(set)));
	/* A joining range still finds room. */
	CHECK(tsmd_ranges_add(&set, page(3), page(4)) == 0);
}

static void test_encoding(void)
{
	struct tsmd_ranges set = { 0 };

	/* 8 bytes at 0x80000000: y...y0, the smallest NAPOT. */
	CHECK(tsmd_pmpaddr_napot(0x80000000UL, 8) == 0x20000000UL);
	/* 4 KiB: nine trailing ones. */
	CHECK(tsmd_pmpaddr_napot(0x90000000UL, 4096) == 0x240001ffUL);
	CHECK(tsmd_range_is_napot(page(4), page(8)));
	CHECK(!tsmd_range_is_napot(page(2), page(6)));
	CHECK(!tsmd_range_is_napot(page(4), page(7)));

	CHECK(tsmd_ranges_add(&set, page(4), page(8)) == 0);
	CHECK(tsmd_ranges_pmp_entries(&set) == 1);
	CHECK(tsmd_ranges_add(&set, page(9), page(12)) == 0);
	CHECK(tsmd_ranges_pmp_entries(&set) == 3);
}

static int well_formed(const struct tsmd_ranges *set)
{
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		if (set->range[i].start >= set->range[i].end)
			return 0;
		/* Touching ranges would waste an entry. */
		if (i && set->range[i - 1].end >= set->range[i].start)
			return 0;
	}
	return 1;
}

static int same(const struct tsmd_ranges *set, const unsigned char *bitmap)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (tsmd_ranges_overlap(set, page(i), page(i + 1)) != bitmap[i])
			return 0;
	return 1;
}

static void test_random(void)
{
	struct tsmd_ranges set = { 0 };
	unsigned char bitmap[PAGES] = { 0 };
	unsigned int round;

	srand(1);
	for (round = 0; round < 20000; round++) {
		unsigned long from = rand() % PAGES;
		unsigned long to = from + 1 + rand() % (PAGES - from);
		int add = rand() % 2, want = !add, fits = 1;
		unsigned long i;
		int rc;

		for (i = from; i < to; i++)
			fits &= bitmap[i] == want;
		rc = add ? tsmd_ranges_add(&set, page(from), page(to)) :
			   tsmd_ranges_remove(&set, page(from), page(to));
		if (rc == 0)
			memset(bitmap + from, add, to - from);
		if ((rc == -1) == fits || !well_formed(&set) ||
		    !same(&set, bitmap)) {
			CHECK(!"a random step differs from the bitmap");
			return;
		}
	}
	CHECK(round == 20000);
}

int main(void)
{
	test_add();
	test_remove();
	test_full();
	test_encoding();
	test_random();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
