// SPDX-License-Identifier: BSD-2-Clause
/* Run all tests, or those whose name contains the argument. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static const struct test *const suites[] = {
	lib_tests, page_tests, fence_tests, gstage_tests, measure_tests,
	call_tests, life_tests, run_tests, vmid_tests, sbi_tests, long_tests,
	drop_tests, stop_tests, region_tests, mmio_tests, share_tests,
	hart_tests, console_tests, long_range_tests, random_tests,
	attest_tests, attest_many_tests, task_tests, covi_tests, msi_tests,
	scrub_tests,
};

static jmp_buf failed;

void test_fail(const char *file, int line, const char *what, s64 got,
	       s64 wanted)
{
	fprintf(stderr, "%s:%d: %s is %ld (%#lx), not %ld\n", file, line, what,
		got, (u64)got, wanted);
	longjmp(failed, 1);
}

static bool passes(const struct test *test)
{
	if (setjmp(failed)) {
		fprintf(stderr, "FAIL %s\n", test->name);
		return false;
	}
	fake_boot();
	test->run();
	return true;
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";
	unsigned int passed = 0, all = 0, i;
	const struct test *test;

	for (i = 0; i < ARRAY_SIZE(suites); i++) {
		for (test = suites[i]; test->name; test++) {
			if (!strstr(test->name, wanted))
				continue;
			all++;
			passed += passes(test);
		}
	}
	printf("%u passed, %u failed\n", passed, all - passed);
	return passed != all;
}
