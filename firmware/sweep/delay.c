/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How late the host's tick can be: the largest calls that the pool allows, and
 * a guest without end, under a timer that is armed anew at every tick.
 */
#include "launch.h"
#include "sweep.h"

#define PAGE		4096UL
#define SIE_STIE	(1UL << IRQ_TIMER)
#define GIVE_UP_AFTER	40
#define HUGE_REGION	(1UL << 30)
/* What the guest's first run needs before it spins */
#define FIRST_RUNS	8
#define CAUSE_ECALL_VS	10
#define INTERRUPTED	(1UL << 63 | IRQ_TIMER)
#define SPIN_RUNS	200

static u64 nacl[COVE_NACL_SHMEM_SIZE / sizeof(u64)]
	__attribute__((aligned(4096)));

static struct delay *add_delay(const char *name, u64 pages)
{
	struct delay *delay = &sweep_delays.delay[sweep_delays.count++];
	unsigned int i;

	memset(delay, 0, sizeof(*delay));
	for (i = 0; i < sizeof(delay->name) - 1 && name[i]; i++)
		delay->name[i] = name[i];
	delay->pages = pages;
	return delay;
}

/* Make the call under ticks; give it up after some, or see it through. */
static s64 ticked(struct delay *delay, u64 fid, const u64 args[6], u64 give_up)
{
	static struct frame frame;

	frame_fill(&frame, fid, args);
	frame.arm = 1;
	frame.k = 200;
	frame.seed = 0x5eed + delay->ticks;
	frame.give_up = give_up;
	frame.sstatus = SSTATUS_SIE;
	csr_write("sie", SIE_STIE);
	sweep_call(&frame);
	csr_clear("sstatus", SSTATUS_SIE);
	csr_write(STIMECMP, NEVER);
	csr_write("sie", 0);
	delay->ticks += frame.taken;
	delay->duration += frame.end - frame.call;
	if (frame.max_delay > delay->max_delay)
		delay->max_delay = frame.max_delay;
	/* A call that was given up has answered nothing. */
	delay->error = give_up && !frame.give_up ? 0 : (s64)frame.out[10];
	return delay->error;
}

static void whole(const char *name, u64 fid, u64 pages, const u64 args[6])
{
	need(name, ticked(add_delay(name, pages), fid, args, 0));
}

/* Begin, give up, and make a short call, which has to undo all of it first. */
static void given_up(const char *name, u64 fid, u64 pages, const u64 args[6])
{
	struct delay *delay = add_delay(name, pages);

	need(name, ticked(delay, fid, args, GIVE_UP_AFTER));
	need(name, ticked(delay, COVE_COVH_LOCAL_FENCE, (u64[6]){ 0 }, 0));
}

static void fences(void)
{
	need("global_fence", covh(COVE_COVH_GLOBAL_FENCE, (u64[6]){ 0 }).error);
	need("local_fence", covh(COVE_COVH_LOCAL_FENCE, (u64[6]){ 0 }).error);
}

static void spin(u64 tvm)
{
	struct delay *delay = add_delay("run of a spinning TVM", 0);
	unsigned int runs;

	/* The report comes first; the answer makes the guest spin for good. */
	for (runs = 0; runs < FIRST_RUNS; runs++) {
		need("run", covh(COVE_COVH_RUN_TVM_VCPU, (u64[6]){ tvm }).error);
		if (csr_read("scause") == CAUSE_ECALL_VS)
			break;
	}
	nacl[10] = 0;
	nacl[11] = NEVER;
	for (runs = 0; runs < SPIN_RUNS; runs++)
		need("run", ticked(delay, COVE_COVH_RUN_TVM_VCPU,
				   (u64[6]){ tvm }, 0));
}

void measure_delays(void)
{
	u64 base = sweep_plan.pool_base, pages = sweep_plan.pool_pages;
	u64 measured = sweep_plan.measured_pages;
	u64 large = sweep_plan.large_pages;
	u64 own = LAUNCH_PAGES + GUEST_PAGES;
	u64 rest = base + own * PAGE, more = GUEST_GPA + (1UL << 21);
	u64 tables = pages - own - large;
	struct launch launch = {
		.pool = base,
		.image = sweep_guest,
		.pages = GUEST_PAGES,
		.gpa = GUEST_GPA,
		.gpa_end = GUEST_GPA + HUGE_REGION,
		.entry = GUEST_GPA,
	};

	need("set_shmem", launch_set_shmem(nacl));
	given_up("convert, given up", COVE_COVH_CONVERT_PAGES, pages,
		 (u64[6]){ base, pages });
	whole("convert", COVE_COVH_CONVERT_PAGES, pages, (u64[6]){ base, pages });
	fences();
	need("launch", launch_create(&launch));
	given_up("tables, given up", COVE_COVH_ADD_TVM_PAGE_TABLE_PAGES, tables,
		 (u64[6]){ launch.id, rest + large * PAGE, tables });
	whole("tables", COVE_COVH_ADD_TVM_PAGE_TABLE_PAGES, tables,
	      (u64[6]){ launch.id, rest + large * PAGE, tables });
	given_up("measured, given up", COVE_COVH_ADD_TVM_MEASURED_PAGES, large,
		 (u64[6]){ launch.id, sweep_plan.source, rest, 0, large, more });
	whole("measured", COVE_COVH_ADD_TVM_MEASURED_PAGES, measured,
	      (u64[6]){ launch.id, sweep_plan.source, rest, 0, measured, more });
	need("launch", launch_finalize(&launch));
	spin(launch.id);
	whole("destroy", COVE_COVH_DESTROY_TVM, pages, (u64[6]){ launch.id });
	given_up("reclaim, given up", COVE_COVH_RECLAIM_PAGES, pages,
		 (u64[6]){ base, pages });
	whole("reclaim", COVE_COVH_RECLAIM_PAGES, pages, (u64[6]){ base, pages });
}
