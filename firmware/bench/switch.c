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

/* The compiler makes calls of them where structures are cleared or copied. */
void *memset(void *to, int value, unsigned long count)
{
	unsigned char *byte = to;

	while (count--)
		*byte++ = value;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long count)
{
	unsigned char *byte = to;
	const unsigned char *source = from;

	while (count--)
		*byte++ = *source++;
	return to;
}

int64_t sbi(uint64_t eid, uint64_t fid, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct sample call = { .a = { a0, a1, a2, 0, 0, 0, fid, eid } };

	measure(&call);
	return call.a[0];
}

static void put(char c)
{
	sbi(COVE_EID_DBCN, COVE_DBCN_CONSOLE_WRITE_BYTE, (unsigned char)c, 0, 0);
}

static void print(const char *text)
{
	while (*text)
		put(*text++);
}

static void print_number(int64_t value)
{
	uint64_t rest = value < 0 ? -value : value;
	char digits[21];
	int at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = '0' + rest % 10;
		rest /= 10;
	} while (rest);
	print(value < 0 ? " -" : " ");
	print(digits + at);
}

static void __attribute__((noreturn)) off(void)
{
	sbi(COVE_EID_SRST, COVE_SRST_SYSTEM_RESET, 0, 0, 0);
	for (;;)
		__asm__ __volatile__("wfi");
}

void __attribute__((noreturn))
bench_trapped(uint64_t cause, uint64_t pc, uint64_t value)
{
	print("bench: trap");
	print_number(cause);
	print_number(pc);
	print_number(value);
	print("\n");
	off();
}

void __attribute__((noreturn)) give_up(const char *what, int64_t number)
{
	print("bench: failed ");
	print(what);
	print_number(number);
	print("\n");
	off();
}

void report(const char *name, int round, int ranges,
	    const struct sample *sample)
{
	print("bench: ");
	print(name);
	print_number(round);
	print_number(ranges);
	print_number(sample->before);
	print_number(sample->after);
	print_number(sample->a[0]);
	print("\n");
}

/** Into the other domain of a firmware that has OpenSBI's own switch, and back */
static void context(int round)
{
	struct sample call = {
		.a = { 0, 0, 0, 0, 0, 0, BENCH_CONTEXT_ENTER, BENCH_EID },
	};

	measure(&call);
	report("context", round, 0, &call);
}

int64_t covh(const char *name, int round, int ranges, uint64_t function,
	     uint64_t a0, uint64_t a1)
{
	struct sample call = {
		.a = { a0, a1, 0, 0, 0, 0,
		       SDID << COVE_A6_SDID_SHIFT | function, COVE_EID_COVH },
	};

	measure(&call);
	report(name, round, ranges, &call);
	return call.a[0];
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
	print("bench: done\n");
	off();
}
