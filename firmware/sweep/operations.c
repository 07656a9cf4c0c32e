/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls that are swept, and the guest's arithmetic once more in C. */
#include "launch.h"
#include "sweep.h"

#define PAGE		4096UL
#define NO_FUNCTION	0x3fffUL
/* One more than the TSM does between two looks at the interrupts (mem.h) */
#define CONVERT_PAGES	65
#define RECLAIM_PAGES	17
/* Away from the TVM's pages, so that they do not become one range. */
#define AREA		(sweep_plan.pool_base + (4UL << 20))
#define NACL_A0		10
#define NACL_A1		11
#define NACL_A7		17
/* Enough to be interrupted in, few enough to be waited for */
#define SPINS		256
#define CAUSE_ECALL_VS	10

static u64 nacl[COVE_NACL_SHMEM_SIZE / sizeof(u64)]
	__attribute__((aligned(4096)));
static u64 tvm;

/* What the guest has in x0-x31 and in its memory */
static u64 model[32];
static u64 model_memory;

static u64 model_report(void)
{
	u64 sum = model_memory;
	unsigned int i;

	for (i = 1; i < 32; i++) {
		if (i == 2 || i == 10 || i == 11 || i == 16 || i == 17)
			continue;
		sum = (sum >> 63 | sum << 1) + model[i];
	}
	model[31] = sum + COVE_TSM_IMPL_ID;
	return model[31];
}

static void model_stir(u64 times)
{
	unsigned int i;

	while (times--) {
		model[1] = ++model_memory;
		model[3] += model[1];
		for (i = 4; i < 10; i++) {
			model[i] += model[3];
			model[3] ^= model[i];
		}
		for (i = 12; i < 32; i++) {
			if (i == 16 || i == 17)
				continue;
			model[3] += model[i];
			model[i] ^= model[3];
		}
	}
}

static void reply(u64 times)
{
	nacl[NACL_A0] = 0;
	nacl[NACL_A1] = times;
	nacl[NACL_A7] = 0;
	model_stir(times);
}

static void run_until_report(struct record *record)
{
	struct sbi_answer answer;

	while (record->runs++ < 8) {
		answer = covh(COVE_COVH_RUN_TVM_VCPU, (u64[6]){ tvm });
		if (answer.error || answer.value ||
		    csr_read("scause") == CAUSE_ECALL_VS)
			break;
	}
	record->report = nacl[NACL_A0];
}

void operations_setup(void)
{
	struct launch launch = {
		.pool = sweep_plan.pool_base,
		.image = sweep_guest,
		.pages = GUEST_PAGES,
		.gpa = GUEST_GPA,
		.gpa_end = GUEST_GPA + (1UL << 20),
		.entry = GUEST_GPA,
	};
	struct record first = { 0 };
	const char *refused;
	unsigned int i;

	need("set_shmem", launch_set_shmem(nacl));
	need("launch", launch_convert(launch.pool, LAUNCH_PAGES + GUEST_PAGES,
				      &refused));
	need("launch", launch_create(&launch));
	need("launch", launch_finalize(&launch));
	tvm = launch.id;
	for (i = 1; i < 32; i++)
		model[i] = i;
	run_until_report(&first);
	need("the guest's first report", first.report - model_report());
}

void operations_move(void)
{
	need("set_shmem", launch_set_shmem(nacl));
}

static void global_fence(void)
{
	need("global_fence", covh(COVE_COVH_GLOBAL_FENCE, (u64[6]){ 0 }).error);
}

static void local_fence(void)
{
	need("local_fence", covh(COVE_COVH_LOCAL_FENCE, (u64[6]){ 0 }).error);
}

void operation_before(enum operation operation)
{
	const char *refused;

	if (operation == OP_RECLAIM)
		need("convert_pages",
		     launch_convert(AREA, RECLAIM_PAGES, &refused));
	else if (operation == OP_LOCAL_FENCE)
		global_fence();
	else
		return;
	others_fence();
}

void operation_fill(struct frame *frame, enum operation operation)
{
	switch (operation) {
	case OP_CONVERT:
		frame_fill(frame, COVE_COVH_CONVERT_PAGES,
			   (u64[6]){ AREA, CONVERT_PAGES, 2, 3, 4, 5 });
		break;
	case OP_RECLAIM:
		frame_fill(frame, COVE_COVH_RECLAIM_PAGES,
			   (u64[6]){ AREA, RECLAIM_PAGES, 2, 3, 4, 5 });
		break;
	case OP_SPIN:
	case OP_EXIT:
		reply(operation == OP_SPIN ? SPINS : 1);
		frame_fill(frame, COVE_COVH_RUN_TVM_VCPU,
			   (u64[6]){ tvm, 0, 2, 3, 4, 5 });
		break;
	case OP_GLOBAL_FENCE:
		frame_fill(frame, COVE_COVH_GLOBAL_FENCE, NULL);
		break;
	case OP_LOCAL_FENCE:
		frame_fill(frame, COVE_COVH_LOCAL_FENCE, NULL);
		break;
	default:
		frame_fill(frame, NO_FUNCTION, NULL);
	}
}

static void take_back(u64 pages)
{
	global_fence();
	others_fence();
	local_fence();
	need("reclaim_pages", covh(COVE_COVH_RECLAIM_PAGES,
				   (u64[6]){ AREA, pages }).error);
}

void operation_after(enum operation operation, struct record *record)
{
	if (operation == OP_CONVERT && !record->error)
		take_back(CONVERT_PAGES);
	if (operation == OP_GLOBAL_FENCE) {
		others_fence();
		local_fence();
	}
	if (operation != OP_SPIN && operation != OP_EXIT)
		return;
	record->runs = 1;
	record->report = nacl[NACL_A0];
	/* An interrupt behind the call has left its own cause in scause. */
	if (nacl[NACL_A7] != COVE_EID_DBCN)
		run_until_report(record);
	record->expected = model_report();
}
