/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef COST_H
#define COST_H

#include <stdint.h>

#include "bench.h"
#include "cove.h"

#define PAGES_A_MIB	256UL
/** Guest-physical address of all that is given to a TVM */
#define GUEST_MEMORY	0x80000000UL

/** Pages of a TVM beside tables and data: root, state, vCPU 0 */
#define TVM_PAGES	32UL
/** Offsets of the state and vCPU pages in them; the root lies first */
#define STATE_AT	(4 * PAGE)
#define VCPU_AT		(5 * PAGE)

/** Largest size that is measured, in MiB; the harness writes it */
extern const volatile uint64_t cost_max_mib;

/* cost.c */

/**
 * Make a COVH call that must succeed, and report what it took.
 * @param kind first part of its name in the report
 * @param name second part
 * @param count MiB or TVMs that the number belongs to
 * @return the call's value
 */
uint64_t made(const char *kind, const char *name, int round, uint64_t count,
	      uint64_t function, const uint64_t args[6]);

#define call(kind, name, round, count, FUNCTION, ...)			\
	made(kind, name, round, count, COVE_COVH_##FUNCTION,		\
	     (const uint64_t[6]){ __VA_ARGS__ })

/** Convert pages and fence, so that they are unassigned */
void convert(const char *kind, int round, uint64_t count, uint64_t base,
	     uint64_t pages);

/* parts.c */

/** What a page costs by itself: copied, hashed, zeroed */
void measure_parts(int round);

/* launches.c */

/** TVMs with measured pages and with zero pages, of this many MiB */
void measure_launches(int round, uint64_t mib);

/* live.c */

/** TVMs beside others, until there is no room for more */
void measure_live(int round);

/* page.c: the TSM's own code, with its flags */

void page_copy(void *to, const void *from);
void page_hash(const void *page);
void page_zero(void *page);
/** @param block bytes that the instruction zeroes */
void page_zero_blocks(void *page, uint64_t block);

#endif
