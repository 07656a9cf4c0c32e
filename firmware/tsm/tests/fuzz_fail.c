// SPDX-License-Identifier: BSD-2-Clause
/* A check that fails ends the fuzzer, which then writes down its input. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/test.h"

void test_fail(const char *file, int line, const char *what, s64 got,
	       s64 wanted)
{
	fprintf(stderr, "%s:%d: %s is %ld (%#lx), not %ld\n", file, line, what,
		got, (u64)got, wanted);
	abort();
}
