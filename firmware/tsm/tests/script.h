/* SPDX-License-Identifier: BSD-2-Clause */
/* A long call, cut short at every possible point (test_long.c). */
#ifndef TSM_TEST_SCRIPT_H
#define TSM_TEST_SCRIPT_H

#include "tests/test.h"

/** One long call: what it needs, the call, and what it leaves */
struct script {
	u64 (*prepare)(void);
	struct answer (*call)(u64 id);
	void (*verify)(u64 id);
};

/** Interrupt once after n polls, for every n that the call lives to see */
void resume_everywhere(const struct script *script);

/** The same, but the host comes back with another call */
void drop_everywhere(const struct script *script);

#endif
