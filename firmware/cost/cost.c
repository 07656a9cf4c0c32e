/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the memory of a TVM costs, in instructions. Runs as the host, alone and
 * with interrupts off, so that under -icount the same build gives the same
 * numbers; what does not take long is done twice to show that it does.
 *
 * Lines on the console:
 *   bench: KIND.CALL ROUND COUNT BEFORE AFTER ERROR      numbers decimal
 * COUNT is in MiB or TVMs, BEFORE and AFTER are instret around the ECALL.
 */
#include "cost.h"

/* Sizes up to this are measured in every round. */
#define TWICE_MIB	4

const volatile uint64_t cost_max_mib __attribute__((section(".data"))) = 256;

static char *append(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	*at = '\0';
	return at;
}

uint64_t made(const char *kind, const char *name, int round, uint64_t count,
	      uint64_t function, const uint64_t args[6])
{
	struct sample sample = {
		.a = { args[0], args[1], args[2], args[3], args[4], args[5],
		       SDID << COVE_A6_SDID_SHIFT | function, COVE_EID_COVH },
	};
	char text[64];

	append(append(append(text, kind), "."), name);
	measure(&sample);
	report(text, round, count, &sample);
	if (sample.a[0])
		give_up(text, sample.a[0]);
	return sample.a[1];
}

void convert(const char *kind, int round, uint64_t count, uint64_t base,
	     uint64_t pages)
{
	call(kind, "convert", round, count, CONVERT_PAGES, base, pages);
	call(kind, "global_fence", round, count, GLOBAL_FENCE, 0);
	call(kind, "local_fence", round, count, LOCAL_FENCE, 0);
}

void bench_main(uint64_t self)
{
	struct sample nothing = { 0 };
	uint64_t mib;
	int round;

	(void)self;
	/* M-mode does more at the first conversion than at any other. */
	convert("first", 0, 0, POOL_BASE, 1);
	call("first", "reclaim", 0, 0, RECLAIM_PAGES, POOL_BASE, 1);
	for (round = 0; round < ROUNDS; round++) {
		measure_nothing(&nothing);
		report("nothing", round, 0, &nothing);
		measure_parts(round);
		measure_live(round);
		for (mib = 1; mib <= cost_max_mib; mib *= 2)
			if (!round || mib <= TWICE_MIB)
				measure_launches(round, mib);
	}
	done();
}
