/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that runs beside another one of the same image: everything a hart
 * holds for it is filled with values of its own and compared later.
 */
#ifndef GUEST_BESIDE_H
#define GUEST_BESIDE_H

#include <stdint.h>

/** The first thing that was not as the guest had left it; what is NULL before. */
struct finding {
	const char *what;
	unsigned long got;
	unsigned long want;
};

extern struct finding finding;

/** Note that `what` is `got` instead of `want`, unless they are equal. */
void expect(const char *what, unsigned long got, unsigned long want);

/** A value that follows from all of the arguments. */
uint64_t mix(uint64_t seed, uint64_t a, uint64_t b);

/* beside_pages.c: memory behind a page table of the guest's own */

/**
 * Turn paging on: the image where it is, and PAGES pages at WINDOW in an order
 * that follows from the seed.
 */
void pages_begin(uint64_t seed);

/** Give one page new content. */
void pages_rewrite(unsigned long number);

/** Compare every `step`th word of all pages. */
void pages_check(unsigned long step);

unsigned long pages_satp(void);

/* beside_hart.c: registers and timer */

/**
 * Find out what the hart has: FP always, V and Sstc perhaps. Linux 6.12's KVM
 * saves V only when sstatus.VS says Dirty. QEMU 10.0 makes, when a guest writes
 * vcsr or vstart, only the guest's own Dirty, and two guests of plain KVM lose
 * them: `vector_csrs` is false for those.
 */
void hart_begin(uint64_t seed, int vector_csrs);

/** Fill registers and CSRs and start the timer. */
void hart_fill(unsigned long round);

/** Wait, interruptible, until the timer has come: once, and not early. */
void hart_wait(void);

/** Fill what a trap changes; no trap of the guest's own may follow. */
void hart_fill_trap_csrs(unsigned long round);

/** Compare everything with what was filled in. */
void hart_check(void);

/** Bits of a vector register, 0 without V; timer interrupts that have come. */
unsigned long hart_vlen(void);
unsigned long hart_timers(void);

/** How often one came without the timer that was set; see beside_hart.c */
unsigned long hart_spurious(void);

/* beside_trap.S: saves what a C function may change and calls beside_trapped */
void beside_vector(void);
void beside_trapped(unsigned long scause, unsigned long sepc,
		    unsigned long stval);

#endif
