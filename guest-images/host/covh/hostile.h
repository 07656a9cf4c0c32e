/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the SSE handler in assembly and its reader share.
 */
#ifndef COVH_HOSTILE_H
#define COVH_HOSTILE_H

#define COVH_SSE_COUNT		0
#define COVH_SSE_SEPC		8
#define COVH_SSE_TIME		16
#define COVH_SSE_SAVED		24

#ifndef __ASSEMBLY__

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * struct covh_sse_record - what the SSE handler has seen
 * @count: times it ran
 * @sepc: what the last event interrupted
 * @time: CSR time of the last event
 * @saved: registers that the handler borrows
 */
struct covh_sse_record {
	u64 count;
	u64 sepc;
	u64 time;
	u64 saved[3];
};

static_assert(offsetof(struct covh_sse_record, count) == COVH_SSE_COUNT);
static_assert(offsetof(struct covh_sse_record, sepc) == COVH_SSE_SEPC);
static_assert(offsetof(struct covh_sse_record, time) == COVH_SSE_TIME);
static_assert(offsetof(struct covh_sse_record, saved) == COVH_SSE_SAVED);

/* Entered by the firmware, with the record's address in a7. */
void covh_sse_entry(void);

#endif /* __ASSEMBLY__ */

#endif
