// SPDX-License-Identifier: BSD-2-Clause
#include "beside.h"
#include "csr.h"
#include "fpregs.h"
#include "sbi.h"
#include "vector.h"

#define STIMECMP	"0x14d"
#define SENVCFG		"0x10a"
#define SSTATUS_SIE	(1UL << 1)
#define SSTATUS_SUM	(1UL << 18)
#define SIE_STIE	(1UL << 5)
#define INTERRUPT	(1UL << 63)
#define CAUSE_TIMER	(INTERRUPT | 5)
#define CAUSE_ILLEGAL	2
#define NEVER		(~0UL)

/* Ticks of CSR time, of which there are 10 million a second */
#define TIMER_AFTER	1000
#define TIMER_LOST	20000000
/*
 * Looks at the time, a second's or more. An emulator that stood still for some
 * seconds, and its timers with it, first shows a guest that the time is over.
 */
#define LOOKS_LOST	5000000UL

static uint64_t hart_seed;
static unsigned long vlenb;
static int have_sstc;
static int keeps_vector_csrs;

/*
 * The timer: when it is due (NEVER: it is not set), how often it has come, and
 * how often an interrupt came without it
 */
static volatile unsigned long due = NEVER;
static volatile unsigned long timers;
static volatile unsigned long spurious;

static uint64_t fp_wanted[FP_REGISTERS], fp_found[FP_REGISTERS];
static struct vector vector_wanted, vector_found;

/* What each CSR reads back as after it was filled: not all bits may exist. */
static struct {
	unsigned long sscratch, sepc, scause, stval;
	unsigned long sstatus, sie, scounteren, senvcfg, stimecmp;
} wanted;

unsigned long hart_vlen(void)
{
	return vlenb * 8;
}

unsigned long hart_timers(void)
{
	return timers;
}

unsigned long hart_spurious(void)
{
	return spurious;
}

static void set_timer(unsigned long when)
{
	if (have_sstc)
		csr_write(STIMECMP, when);
}

/*
 * An interrupt whose time has not come, which Sstc allows: STIP follows
 * stimecmp "eventually". By its source QEMU can make some, although none was
 * caught at it: riscv_timer_write_timecmp() leaves the timer of the value
 * before running when the new one is in the past, and that one raises the
 * interrupt without a look at stimecmp. A hart's two worlds share that timer.
 *
 * It is the hart's doing only when stimecmp is this guest's and writing it
 * again ends it. What another has set in hvip stays.
 */
static void not_due(void)
{
	unsigned long pending;

	spurious++;
	expect("timer without need, stimecmp", csr_read(STIMECMP), due);
	set_timer(due);
	pending = csr_read("sip") & SIE_STIE;
	/* The time behind sip: a timer that has come due meanwhile is in order. */
	if (!pending || csr_read("time") >= due)
		return;
	expect("timer without need, pending", pending, 0);
	/* It would come for ever: the guest has to get to its report. */
	csr_write("sie", 0);
	due = NEVER;
}

/* Runs on the interrupted code's stack. */
void beside_trapped(unsigned long scause, unsigned long sepc,
		    unsigned long stval)
{
	if (scause == CAUSE_ILLEGAL && have_sstc && due == NEVER && !timers) {
		/* The probe in hart_begin(): this hart has no stimecmp. */
		have_sstc = 0;
		csr_write("sepc", sepc + 4);
		return;
	}
	if (scause != CAUSE_TIMER)
		trapped(scause, sepc, stval);
	if (due == NEVER || csr_read("time") < due) {
		not_due();
		return;
	}
	timers++;
	due = NEVER;
	set_timer(NEVER);
}

void hart_begin(uint64_t seed, int vector_csrs)
{
	hart_seed = seed;
	keeps_vector_csrs = vector_csrs;
	vlenb = vector_on();
	csr_write("stvec", beside_vector);
	have_sstc = 1;
	set_timer(NEVER);
	csr_write("sie", have_sstc ? SIE_STIE : 0);
}

static void fill_csrs(uint64_t salt)
{
	asm volatile("csrc sstatus, %0" : : "r"(SSTATUS_SUM));
	asm volatile("csrs sstatus, %0" : : "r"(salt & SSTATUS_SUM));
	csr_write("scounteren", salt & 7);
	wanted.scounteren = csr_read("scounteren");
	/* FIOM, the one field that every hart has */
	csr_write(SENVCFG, salt >> 3 & 1);
	wanted.senvcfg = csr_read(SENVCFG);
	wanted.sie = csr_read("sie");
}

void hart_fill(unsigned long round)
{
	uint64_t salt = mix(hart_seed, round, 2);

	fill_csrs(salt);
	fp_fill(fp_wanted, salt & 0xffff);
	fp_load(fp_wanted);
	if (vlenb) {
		vector_fill(&vector_wanted, vlenb, salt & 0xffff);
		if (!keeps_vector_csrs)
			vector_wanted.vcsr = vector_wanted.vstart = 0;
		vector_load(&vector_wanted, vlenb);
	}
	if (!have_sstc)
		return;
	due = csr_read("time") + TIMER_AFTER;
	set_timer(due);
	asm volatile("csrs sstatus, %0" : : "r"(SSTATUS_SIE) : "memory");
}

void hart_wait(void)
{
	unsigned long start = csr_read("time");
	unsigned long now = start, looks = 0;

	/* Without a timer the hart is open to interrupts of the host as long. */
	while (have_sstc ? due != NEVER : now - start < TIMER_AFTER) {
		now = csr_read("time");
		if (now - start > TIMER_LOST && ++looks > LOOKS_LOST) {
			expect("lost timer, stimecmp", csr_read(STIMECMP), due);
			/* With the right stimecmp it is the interrupt that lacks. */
			expect("lost timer interrupt", 0, 1);
			break;
		}
	}
	asm volatile("csrc sstatus, %0" : : "r"(SSTATUS_SIE) : "memory");
}

#define FILL(csr, value) do {						\
	csr_write(#csr, value);						\
	wanted.csr = csr_read(#csr);					\
} while (0)

void hart_fill_trap_csrs(unsigned long round)
{
	uint64_t salt = mix(hart_seed, round, 3);

	FILL(sscratch, salt);
	FILL(sepc, salt * 3);
	FILL(scause, salt >> 7 & 15);
	FILL(stval, salt * 5);
	if (have_sstc) {
		/* Far from now, but not the same in both worlds. */
		wanted.stimecmp = NEVER - (salt & 0xffffff);
		set_timer(wanted.stimecmp);
	}
	wanted.sstatus = csr_read("sstatus");
}

#define CHECK(csr)	expect(#csr, csr_read(#csr), wanted.csr)

static void check_csrs(void)
{
	CHECK(sscratch);
	CHECK(sepc);
	CHECK(scause);
	CHECK(stval);
	CHECK(sstatus);
	CHECK(sie);
	CHECK(scounteren);
	expect("senvcfg", csr_read(SENVCFG), wanted.senvcfg);
	expect("stvec", csr_read("stvec"), (uintptr_t)beside_vector);
	expect("satp", csr_read("satp"), pages_satp());
	if (have_sstc)
		expect("stimecmp", csr_read(STIMECMP), wanted.stimecmp);
}

void hart_check(void)
{
	check_csrs();
	fp_store(fp_found);
	for (int i = 0; i < FP_REGISTERS; i++)
		expect("FP register", fp_found[i], fp_wanted[i]);
	if (!vlenb)
		return;
	vector_store(&vector_found, vlenb);
	expect("vector registers",
	       vector_same(&vector_wanted, &vector_found, vlenb), 1);
}
