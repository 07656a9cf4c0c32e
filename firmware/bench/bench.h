/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_H
#define BENCH_H

/** Exits that the guest makes before it spins: one to get warm, one a round */
#define ROUNDS			2
#define GUEST_EXITS		(1 + ROUNDS)
/** Where the guest has its page */
#define GUEST_GPA		0x80200000

/** Of the TSM in tsm/instant.S, from its entry to its ECALL */
#define INSTANT_INSTRUCTIONS	7

#define PAGE			4096UL
#define SDID			1UL

#ifndef __ASSEMBLER__

#include <stdint.h>

/** A call and what it took: filled in by measure() */
struct sample {
	/** a0-a7 of the call; a0 and a1 are replaced by the answer */
	uint64_t a[8];
	/** instret read right before and right after the ECALL */
	uint64_t before;
	uint64_t after;
};

/* start.S */

/** Make the call of @p sample */
void measure(struct sample *sample);

/** Read instret twice with nothing in between */
void measure_nothing(struct sample *sample);

/** The address behind it is that of the next instruction */
extern const char measured_ecall[];

/** Entry of a further hart: waits for ever; the argument is where it says so */
void park_entry(void);

/* console.c */

/** Make an SBI call that nobody measures; @return its error */
int64_t sbi(uint64_t eid, uint64_t fid, uint64_t a0, uint64_t a1, uint64_t a2);

/** A COVH call that is measured and reported */
int64_t covh(const char *name, int round, int ranges, uint64_t function,
	     uint64_t a0, uint64_t a1);

/** Write the line of a sample; the error is a[0] */
void report(const char *name, int round, int ranges,
	    const struct sample *sample);

/** Say what went wrong, with a number, and switch off */
void __attribute__((noreturn)) give_up(const char *what, int64_t number);

/** Everything is measured: say so and switch off */
void __attribute__((noreturn)) done(void);

/* tvm.c */

/** Make a TVM and let it exit once, so that what happens once has happened */
void tvm_begin(void);

/** Into the guest and out of it again, once */
void tvm_exit(int round);

/** An interrupt of the host's timer while the guest runs */
void tvm_tick(int round);

/** Run the guest until the host's timer ends it, @p ticks from now */
void tvm_spin(uint64_t ticks, struct sample *sample);

/* harts.c */

/** Calls while all other harts of the machine wait in WFI */
void bench_harts(uint64_t self);

#endif /* __ASSEMBLER__ */

#endif
