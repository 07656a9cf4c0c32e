/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the payload's parts share, and what the harness reads of its memory
 * (harness/scenarios/sweep_memory.py).
 */
#ifndef SWEEP_H
#define SWEEP_H

/* Offsets in struct frame, for start.S */
#define FRAME_IN		0
#define FRAME_OUT		256
#define FRAME_SAVED		512
#define FRAME_ARM		768
#define FRAME_K			776
#define FRAME_SSTATUS		784
#define FRAME_START		792
#define FRAME_DEADLINE		800
#define FRAME_CALL		808
#define FRAME_END		816
#define FRAME_TAKEN		824
#define FRAME_TAKEN_PC		832
#define FRAME_TAKEN_AT		840
#define FRAME_TAKEN_CAUSE	848
#define FRAME_T0		856
#define FRAME_T1		864
#define FRAME_SEED		872
#define FRAME_MAX_DELAY		880
#define FRAME_GIVE_UP		888

#define SSTATUS_SIE		2
#define IRQ_SOFT		1
#define IRQ_TIMER		5

/* By number: an assembler without Sstc has no name for it. */
#define CSR_STIMECMP		0x14d

/* Where the guest runs, and how long its image is */
#define GUEST_GPA		0x80200000
#define GUEST_PAGES		2

#define SWEEP_MAGIC		0x5045455753UL
#define SWEEP_BATCH		48
#define SWEEP_DELAYS		16

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "cove.h"

typedef uint64_t u64;
typedef int64_t s64;

enum sweep_mode {
	MODE_SWEEP,
	MODE_DELAY,
};

enum operation {
	/* A function that the TSM does not have */
	OP_NULL,
	OP_CONVERT,
	OP_RECLAIM,
	/* A guest that ends only by the interrupt */
	OP_SPIN,
	/* A guest that makes two ECALLs: one for the TSM, one for the host */
	OP_EXIT,
	/* A fence of converted pages begins; a hart's own, which ends it */
	OP_GLOBAL_FENCE,
	OP_LOCAL_FENCE,
	OPERATIONS,
};

enum arrival {
	/* Timer of the own hart, taken (sstatus.SIE) or only pending */
	ARRIVE_TIMER_TAKEN,
	ARRIVE_TIMER_PENDING,
	/* From the other hart: an IPI, remote fences of its and of its guests' */
	ARRIVE_IPI,
	ARRIVE_FENCE,
	ARRIVE_HFENCE_GVMA,
	ARRIVE_HFENCE_VVMA,
	ARRIVALS,
};

/** Written into the image by the harness */
struct plan {
	u64 magic;
	u64 mode;
	/** Ticks from one deadline to the next */
	u64 step;
	/** Where the first deadline of each operation is */
	u64 first;
	u64 pool_base;
	u64 pool_pages;
	u64 harts;
	/**
	 * Pages of the add_tvm_measured_pages that is seen through and of the
	 * largest, which is given up; plain RAM for them
	 */
	u64 measured_pages;
	u64 large_pages;
	u64 source;
};

/** One call and the registers around it */
struct frame {
	u64 in[32];
	u64 out[32];
	u64 saved[32];
	/** stimecmp is set, to K ticks after START */
	u64 arm;
	u64 k;
	/** Bits to set in sstatus before the call */
	u64 sstatus;
	u64 start;
	u64 deadline;
	/** CSR time right before the ECALL and behind it */
	u64 call;
	u64 end;
	/** Interrupts that were taken; of the last one pc, time and scause */
	u64 taken;
	u64 taken_pc;
	u64 taken_at;
	u64 taken_cause;
	u64 t0;
	u64 t1;
	/** Not 0: every tick arms the next one, at a distance drawn from this */
	u64 seed;
	/** Longest time from a deadline to its tick */
	u64 max_delay;
	/** Ticks after which the call is not made again; 0: never */
	u64 give_up;
};

_Static_assert(offsetof(struct frame, give_up) == FRAME_GIVE_UP,
	       "start.S uses these offsets");

/** What the harness judges: one point of arrival */
struct record {
	u64 operation;
	u64 arrival;
	u64 k;
	u64 start;
	u64 deadline;
	u64 call;
	u64 end;
	u64 ecall_pc;
	u64 taken;
	u64 taken_pc;
	u64 taken_at;
	u64 taken_cause;
	s64 error;
	u64 value;
	u64 scause;
	u64 stval;
	/** sip behind the call */
	u64 sip;
	/** Registers x1-x31 that have changed; CSRs, by enum in host.c */
	u64 wrong_gprs;
	u64 wrong_csrs;
	/** Runs until the guest's report, the report, and what it must be */
	u64 runs;
	u64 report;
	u64 expected;
	/** The other hart: time before and after its call, and the answer */
	u64 sent;
	u64 sent_end;
	s64 sent_error;
	/** stimecmp behind the call */
	u64 stimecmp;
	/** CSR time behind the reading of sip */
	u64 sip_at;
	/** Remote fences of this kind that M-mode has served on this hart */
	u64 fences;
};

/** Filled by the payload, emptied by the harness */
struct mailbox {
	u64 magic;
	/** Batches that were filled, and those that the harness has read */
	u64 filled;
	u64 read;
	u64 count;
	/** Hart that makes the calls */
	u64 hart;
	struct record records[SWEEP_BATCH];
};

/** What one large call did to the host's tick */
struct delay {
	char name[24];
	u64 pages;
	u64 ticks;
	u64 max_delay;
	u64 duration;
	s64 error;
};

struct delays {
	u64 count;
	struct delay delay[SWEEP_DELAYS];
};

extern struct plan sweep_plan;
extern struct mailbox sweep_mailbox;
extern struct delays sweep_delays;
extern const char sweep_guest[];

#define csr_read(name)							\
({									\
	u64 value_;							\
	__asm__ volatile("csrr %0, " name : "=r"(value_) : : "memory");	\
	value_;								\
})
#define csr_write(name, value)						\
	__asm__ volatile("csrw " name ", %0" : : "r"((u64)(value)) : "memory")
#define csr_set(name, value)						\
	__asm__ volatile("csrs " name ", %0" : : "r"((u64)(value)) : "memory")
#define csr_clear(name, value)						\
	__asm__ volatile("csrc " name ", %0" : : "r"((u64)(value)) : "memory")
#define STIMECMP	"0x14d"
#define NEVER		(~0UL)

/* start.S */

/** Load all registers, make the call, save all registers */
void sweep_call(struct frame *frame);
extern const char sweep_ecall[];
void second_entry(void);

/* host.c: the host's own doings */

struct sbi_answer {
	s64 error;
	u64 value;
};

void *memset(void *to, int value, size_t count);
void *memcpy(void *to, const void *from, size_t count);
struct sbi_answer sbi(u64 eid, u64 fid, u64 a0, u64 a1, u64 a2);
struct sbi_answer sbi4(u64 eid, u64 fid, u64 a0, u64 a1, u64 a2, u64 a3);
struct sbi_answer covh(u64 fid, const u64 args[6]);
void say(const char *text);
void __attribute__((noreturn)) off(void);
/** Say that a step was refused, and switch off */
void need(const char *what, s64 error);
/** Fill the registers of a call: arguments, patterns in all others */
void frame_fill(struct frame *frame, u64 fid, const u64 args[6]);
/** Set the CSRs that must survive the call */
void csrs_fill(void);
u64 wrong_gprs(const struct frame *frame);
u64 wrong_csrs(const struct frame *frame, enum operation operation);
/** Sleep until @p time; the timer is free then */
void sleep_until(u64 time);

/* operations.c */

/** Convert what is needed and make the TVM */
void operations_setup(void);
/** Go on with the operations on this hart */
void operations_move(void);
/** Bring about the state that the operation starts from */
void operation_before(enum operation operation);
void operation_fill(struct frame *frame, enum operation operation);
/** Undo the operation; how the guest went on is noted in @p record */
void operation_after(enum operation operation, struct record *record);

/* timer.c, other.c, delay.c */

/** How long after the call OP_SPIN is swept; known after OP_EXIT */
extern u64 spin_ticks;

/** A record of the batch; a full batch is handed to the harness first */
struct record *next_record(void);
void flush_records(void);
void record_frame(struct record *record, const struct frame *frame);
void sweep_timer(void);
void sweep_other(u64 hart);
/** Harts that take part beside this one do their local fence */
void others_fence(void);
void measure_delays(void);

#endif
#endif
