/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a domain switch costs, in instructions. Runs as the host, alone and
 * with interrupts off, so that under -icount the same build gives the same
 * numbers; all of it is done twice to show that it does.
 *
 * Lines on the console:
 *   bench: NAME ROUND RANGES BEFORE AFTER ERROR      numbers decimal
 * BEFORE and AFTER are instret around the ECALL, so that the events that
 * M-mode recorded meanwhile can be found between them.
 */
#include <stdbool.h>

#include "bench.h"
#include "context/bench_context.h"
#include "cove.h"

/* One page and a gap of one: neighbours would become one range. */
#define STRIDE		(2 * PAGE)
#define MAX_RANGES	16
/* A function that the TSM does not have: it looks at the call and refuses it. */
#define NO_FUNCTION	0x3fffUL

/** Into the other domain of a firmware that has OpenSBI's own switch, and back */
static void context(int round)
{
	struct sample call = {
		.a = { 0, 0, 0, 0, 0, 0, BENCH_CONTEXT_ENTER, BENCH_EID },
	};

	measure(&call);
	report("context", round, 0, &call);
}

static void plain(int round)
{
	struct sample nothing = { 0 };
	struct sample base = {
		.a = { 0, 0, 0, 0, 0, 0, COVE_BASE_GET_SPEC_VERSION,
		       COVE_EID_BASE },
	};

	measure_nothing(&nothing);
	report("nothing", round, 0, &nothing);
	measure(&base);
	report("plain", round, 0, &base);
}

/** Confidential ranges one by one until the hardware has no entry left */
static int add_ranges(int round)
{
	int ranges = 0;

	while (ranges < MAX_RANGES &&
	       !covh("convert", round, ranges, COVE_COVH_CONVERT_PAGES,
		     POOL_BASE + ranges * STRIDE, 1)) {
		ranges++;
		covh("null", round, ranges, NO_FUNCTION, 0, 0);
	}
	return ranges;
}

static void remove_ranges(int round, int ranges)
{
	covh("global_fence", round, ranges, COVE_COVH_GLOBAL_FENCE, 0, 0);
	covh("local_fence", round, ranges, COVE_COVH_LOCAL_FENCE, 0, 0);
	while (ranges--)
		covh("reclaim", round, ranges, COVE_COVH_RECLAIM_PAGES,
		     POOL_BASE + ranges * STRIDE, 1);
}

static void bench_contexts(void)
{
	int round;

	/* Before v1.8 contexts exist only after the first exit. */
	sbi(BENCH_EID, BENCH_CONTEXT_EXIT, 0, 0, 0);
	for (round = 0; round < ROUNDS; round++) {
		plain(round);
		context(round);
	}
}

/**
 * The TSM of tsm/instant.S answers with instret at its entry, all others with
 * 0: that number ends the way in through M-mode and begins the way out.
 */
static void instant(int round)
{
	struct sample in = {
		.a = { 0, 0, 0, 0, 0, 0,
		       SDID << COVE_A6_SDID_SHIFT | NO_FUNCTION, COVE_EID_COVH },
	};
	struct sample out;

	measure(&in);
	out = in;
	in.after = in.a[1];
	/* The TSM's own are taken off, but for the one that reads instret. */
	out.before = in.a[1] + INSTANT_INSTRUCTIONS - 1;
	report("mmode_in", round, 0, &in);
	report("mmode_out", round, 0, &out);
}

static void bench_instant(void)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		plain(round);
		instant(round);
	}
}

static void bench_teecalls(uint64_t self)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		plain(round);
		covh("null", round, 0, NO_FUNCTION, 0, 0);
		remove_ranges(round, add_ranges(round));
	}
	tvm_begin();
	for (round = 0; round < ROUNDS; round++)
		tvm_exit(round);
	for (round = 0; round < ROUNDS; round++)
		tvm_tick(round);
	bench_harts(self);
}

static bool answers_at_once(void)
{
	struct sample call = {
		.a = { 0, 0, 0, 0, 0, 0,
		       SDID << COVE_A6_SDID_SHIFT | NO_FUNCTION, COVE_EID_COVH },
	};

	/* Also whatever happens once, on the first call of a kind. */
	measure(&call);
	return call.a[1];
}

void bench_main(uint64_t hart)
{
	struct sample probe = {
		.a = { BENCH_EID, 0, 0, 0, 0, 0, COVE_BASE_PROBE_EXTENSION,
		       COVE_EID_BASE },
	};

	measure(&probe);
	if (probe.a[1])
		bench_contexts();
	else if (answers_at_once())
		bench_instant();
	else
		bench_teecalls(hart);
	done();
}
