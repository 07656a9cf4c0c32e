/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/** A call and what it took: filled in by measure() */
struct sample {
	/** a0-a7 of the call; a0 and a1 are replaced by the answer */
	uint64_t a[8];
	/** instret read right before and right after the ECALL */
	uint64_t before;
	uint64_t after;
};

/** Make the call of @p sample */
void measure(struct sample *sample);

/** Read instret twice with nothing in between */
void measure_nothing(struct sample *sample);

#endif
