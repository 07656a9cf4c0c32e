/* SPDX-License-Identifier: BSD-2-Clause */
/* A TVM of one page and one vCPU: the way into it, out of it, and a tick. */
#include "bench.h"
#include "cove.h"
#include "launch.h"

/* Beyond the ranges that switch.c makes */
#define TVM_POOL	(POOL_BASE + 0x100000)
/* -icount shift=0: an instruction is 1 ns, a tick of the 10 MHz clock 100 ns. */
#define TICK		100UL
/* Far enough for the guest to be running. */
#define TICKS_AHEAD	1000UL
#define EID_TIME	0x54494d45
#define SIE_STIE	(1 << 5)
#define CAUSE_TIMER	(1UL << 63 | 5)
#define NEVER		(~0UL)
#define NACL_A0		10

extern const char guest_image[];

static uint64_t nacl[COVE_NACL_SHMEM_SIZE / 8] __attribute__((aligned(4096)));

static struct launch tvm = {
	.pool = TVM_POOL,
	.image = guest_image,
	.pages = 1,
	.gpa = GUEST_GPA,
	.gpa_end = GUEST_GPA + PAGE,
	.entry = GUEST_GPA,
};

static void run(struct sample *sample)
{
	*sample = (struct sample){
		.a = { tvm.id, 0, 0, 0, 0, 0,
		       SDID << COVE_A6_SDID_SHIFT | COVE_COVH_RUN_TVM_VCPU,
		       COVE_EID_COVH },
	};
	measure(sample);
	if (sample->a[0] || sample->a[1])
		give_up("run_tvm_vcpu", sample->a[0] ? sample->a[0] : 1);
}

void tvm_begin(void)
{
	struct sample first;
	int64_t error = launch_set_shmem(nacl);

	if (error)
		give_up("nacl.set_shmem", error);
	error = launch_convert(TVM_POOL, LAUNCH_PAGES + tvm.pages,
			       &tvm.refused);
	if (!error)
		error = launch_create(&tvm);
	if (!error)
		error = launch_finalize(&tvm);
	if (error)
		give_up(tvm.refused, error);
	run(&first);
}

void tvm_exit(int round)
{
	struct sample both, half;

	run(&both);
	half = both;
	half.after = nacl[NACL_A0];
	report("enter", round, 0, &half);
	half = both;
	half.before = nacl[NACL_A0];
	report("exit", round, 0, &half);
}

/* instret at the beginning of a tick, to two instructions; and which one */
static uint64_t tick_begins(uint64_t *tick)
{
	uint64_t before, now, at;

	__asm__ volatile("	csrr	%0, time\n"
			 "1:	csrr	%1, time\n"
			 "	csrr	%2, instret\n"
			 "	beq	%0, %1, 1b"
			 : "=&r"(before), "=&r"(now), "=&r"(at));
	*tick = now;
	return at;
}

static uint64_t scause(void)
{
	uint64_t value;

	__asm__ volatile("csrr %0, scause" : "=r"(value));
	return value;
}

/*
 * The interrupt is enabled but not taken (sstatus.SIE is off): the host's next
 * instruction behind its ECALL is what it delays.
 */
static void run_until(uint64_t deadline, struct sample *sample)
{
	sbi(EID_TIME, 0, deadline, 0, 0);
	__asm__ volatile("csrs sie, %0" : : "r"(SIE_STIE));
	run(sample);
	__asm__ volatile("csrc sie, %0" : : "r"(SIE_STIE));
	if (scause() != CAUSE_TIMER)
		give_up("scause behind run_tvm_vcpu", scause());
	sbi(EID_TIME, 0, NEVER, 0, 0);
}

void tvm_tick(int round)
{
	uint64_t tick, begin = tick_begins(&tick);
	struct sample sample;

	run_until(tick + TICKS_AHEAD, &sample);
	sample.before = begin + TICKS_AHEAD * TICK;
	report("tick", round, 0, &sample);
}

void tvm_spin(uint64_t ticks, struct sample *sample)
{
	uint64_t tick;

	tick_begins(&tick);
	run_until(tick + ticks, sample);
}
