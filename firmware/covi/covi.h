/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef COVI_H
#define COVI_H

#define PAGE		4096UL
#define GUEST_GPA	0x80200000
/** Where the guest has its vCPU's interrupt file */
#define GUEST_IMSIC	0x28000000
/** The interrupt that the guest allows */
#define GUEST_ID	33
/** What the guest says before it spins */
#define ABOUT_TO_SPIN	1000

#ifndef __ASSEMBLER__

#include <stdint.h>

/** Written by the harness into the image */
struct plan {
	uint64_t harts;
	uint64_t pool;
	/** Supervisor-level interrupt file of hart 0, and the way to the next */
	uint64_t imsic;
	uint64_t stride;
};

extern volatile struct plan plan;
extern const char guest_image[];

/** start.S: make a call; a0 and a1 of the answer are in a[0] and a[1] */
void call(uint64_t a[8]);

/** start.S: read or write 32 bits; @return scause of the trap, 0 if none */
uint64_t try_read(uint64_t address);
uint64_t try_write(uint64_t address, uint64_t value);

void second_entry(void);

/** harts.c: lines on the console */
void say(const char *what, int64_t value);
void __attribute__((noreturn)) off(void);

/** harts.c: COVH, COVI and others; the error */
int64_t covh(uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2);
int64_t covi(uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2);
int64_t sbi(uint64_t eid, uint64_t fid, uint64_t a0, uint64_t a1, uint64_t a2);

/** harts.c: start the other hart, which then does what it is given */
void other_start(uint64_t hart);
void other_begin(int64_t (*work)(void));
int64_t other_wait(void);
int64_t other_do(int64_t (*work)(void));

#endif /* __ASSEMBLER__ */
#endif
