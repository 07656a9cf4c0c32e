// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "tests/test.h"

static void format_writes_numbers(void)
{
	char text[64];

	check_equal(format(text, sizeof(text), "%s %d %u %x %lu %lx %%", "a",
			   -5, 7u, 0xbeefu, 1234567890123UL, ~0UL), 44);
	check_equal(strcmp(text,
			   "a -5 7 beef 1234567890123 ffffffffffffffff %"), 0);
}

static void format_never_overruns(void)
{
	char text[8] = "xxxxxxx";

	check_equal(format(text, 5, "%s", "abcdefgh"), 4);
	check_equal(strcmp(text, "abcd"), 0);
	check_equal(text[5], 'x');
	check_equal(format(text, 0, "%s", "abc"), 0);
}

static void ranges_do_not_wrap(void)
{
	check_true(range_inside(0x1000, 0x1000, 0x1000, 0x1000));
	check_true(!range_inside(0x1000, 0x1001, 0x1000, 0x1000));
	check_true(!range_inside(0x1800, ~0UL, 0x1000, 0x1000));
	check_true(!range_inside(~0UL - 0xfff, 0x2000, 0x1000, 0x1000));
	check_true(!ranges_meet(0x1000, 0x1000, 0x2000, 0x1000));
	check_true(ranges_meet(0x1000, 0x1001, 0x2000, 0x1000));
}

static void log_is_a_ring(void)
{
	u64 head = tsm_log.head;
	u64 i;

	for (i = 0; i < TSM_LOG_SIZE / 4; i++)
		tsm_print("%lu", i + 10000);
	check_equal(tsm_log.head - head, TSM_LOG_SIZE / 4 * 6);
	check_equal(tsm_log.text[(tsm_log.head - 1) % TSM_LOG_SIZE], '\n');
}

const struct test lib_tests[] = {
	{ "format writes numbers", format_writes_numbers },
	{ "format never overruns", format_never_overruns },
	{ "ranges do not wrap", ranges_do_not_wrap },
	{ "log is a ring", log_is_a_ring },
	{ NULL, NULL },
};
