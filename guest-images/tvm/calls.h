/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest that makes every call it can, rightly and wrongly, and checks. */
#ifndef GUEST_CALLS_H
#define GUEST_CALLS_H

#include <stdint.h>

#define PAGE		4096UL
/* Memory behind the image that nothing was put into */
#define FRESH		0x80280000UL
#define SHARED		0x802c0000UL
#define DEVICE		0x10000000UL

#define SIE_SSIE	(1 << 1)
#define SIE_STIE	(1 << 5)
#define SIE_SEIE	(1 << 9)
#define SSTATUS_SIE	(1 << 1)

/* What traps have left, by vCPU */
struct trap_counts {
	volatile unsigned long timers;
	volatile unsigned long ipis;
	volatile unsigned long externals;
	volatile unsigned long exceptions;
	volatile unsigned long cause;
	volatile unsigned long tval;
};

#define VCPUS		8
extern struct trap_counts counts[VCPUS];

/* One line for a check: what it is, and got and want where they differ. */
void check(const char *name, unsigned long got, unsigned long want);

/* calls_entry.S */
void calls_vector(void);
void second_entry(void);

/* calls_harts.c */
void begin_traps(void);
void check_timer(void);
void check_harts(unsigned long vcpus);
void wait_until(volatile unsigned long *count, unsigned long value);

/* calls_memory.c */
/* Also in the blocks of 2 MiB behind the image's, if the guest has so much. */
void check_demand(unsigned long mib);
void check_console(void);
void check_sharing(void);

/* calls_mmio.c */
void check_regions(void);
void check_accesses(void);
/* The same behind a page table: the TSM has to find the instruction. */
void check_paged_accesses(void);
void check_refused_accesses(void);
void check_interrupts(void);

#endif
