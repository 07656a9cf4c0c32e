// SPDX-License-Identifier: BSD-2-Clause
/* More vCPUs that ask for evidence than there are tasks. */
#include "attest/attest.h"
#include "tests/run.h"

#define VCPUS		(ARCH_TASKS + 2)
#define OUT		GUEST_BASE
#define IN		(GUEST_BASE + PAGE_SIZE)
#define KEY_SIZE	100

/* The same layout as build_tvm()'s, with vCPUs behind the data */
static u64 build(u64 base, unsigned int vcpus)
{
	u64 *params = phys_to_virt(HOST_BASE), id;
	unsigned int i;

	give_pages(base, BUILD_PAGES);
	params[0] = base;
	params[1] = base + (AT_STATE - POOL_BASE);
	id = covh(CREATE_TVM, HOST_BASE, 16).value;
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, GUEST_BASE,
			 GUEST_SIZE).error, 0);
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id,
			 base + (AT_TABLES - POOL_BASE), 4).error, 0);
	check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE,
			 base + (AT_DATA - POOL_BASE), 0, 2,
			 GUEST_BASE).error, 0);
	for (i = 0; i < vcpus; i++)
		check_equal(covh(CREATE_TVM_VCPU, id, i,
				 base + (32 + i) * PAGE_SIZE).error, 0);
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, 0, 0).error, 0);
	return id;
}

/* Entries of guests before the vCPU's first one in this run */
static unsigned int before;

static struct answer run_vcpu(u64 id, u64 vcpu,
			      void (*guest)(struct guest_context *guest))
{
	before = fake.guest_entries;
	fake.guest = guest;
	return covh(RUN_TVM_VCPU, id, vcpu);
}

/* On the other hart, in the middle of whatever goes on here */
static void run_beside(u64 id, u64 vcpu,
		       void (*guest)(struct guest_context *guest))
{
	void (*own)(struct guest_context *guest) = fake.guest;
	unsigned int hart = fake.hart, entries = before;
	struct guest_space space = fake.space;

	fake.hart++;
	check_equal(run_vcpu(id, vcpu, guest).error, 0);
	fake.hart = hart;
	fake.guest = own;
	fake.space = space;
	fake.loaded = true;
	before = entries;
}

static u64 starting;

static void start_one(struct guest_context *guest)
{
	ecall(guest, COVE_EID_HSM, COVE_HSM_HART_START, starting, GUEST_BASE,
	      0);
}

/* What the last call for evidence was answered */
static s64 got;

static void ask(struct guest_context *guest)
{
	if (fake.guest_entries != before + 1) {
		got = (s64)guest->gpr[A0];
		interrupt(guest);
		return;
	}
	ecall(guest, COVE_EID_COVG, COVE_COVG_GET_EVIDENCE, IN, KEY_SIZE,
	      IN + 512);
	guest->gpr[13] = COVE_ATTEST_FORMAT_CBOR;
	guest->gpr[14] = OUT;
	guest->gpr[15] = PAGE_SIZE;
}

/* It asks and an interrupt of the host comes while its task is at work. */
static void begin(u64 id, u64 vcpu)
{
	fake.task_interrupts = 1;
	got = 1;
	check_equal(run_vcpu(id, vcpu, ask).error, 0);
	check_equal(got, 1);
	check_equal(fake.task_interrupts, 0);
}

static s64 evidence(u64 id, u64 vcpu)
{
	check_equal(run_vcpu(id, vcpu, ask).error, 0);
	return got;
}

/* A TVM whose vCPUs have taken all tasks, vCPU 0 that of number 0 */
static u64 take_all_tasks(void)
{
	u64 id, i;

	fake_info.handover.magic = COVE_ATTEST_HANDOVER_MAGIC;
	for (i = 0; i < 3; i++)
		fake_info.nacl[i] = NACL_BASE + i * COVE_NACL_SHMEM_SIZE;
	id = build(POOL_BASE, VCPUS);
	for (starting = 1; starting < VCPUS; starting++)
		check_equal(run_vcpu(id, 0, start_one).error, 0);
	for (i = 0; i < ARCH_TASKS; i++)
		begin(id, i);
	check_equal(fake.task_starts, ARCH_TASKS);
	check_equal(evidence(id, ARCH_TASKS), COVE_ERR_BUSY);
	return id;
}

/* One TVM cannot keep another from its evidence. */
static void tasks_are_shared_out(void)
{
	u64 greedy = take_all_tasks();
	u64 other = build(POOL_BASE + BUILD_PAGES * PAGE_SIZE, 1);

	begin(other, 0);
	check_equal(evidence(greedy, ARCH_TASKS), COVE_ERR_BUSY);
	check_equal(evidence(other, 0), 0);
	check_equal(fake.task_starts, ARCH_TASKS + 1);
	/* The vCPU whose task it was begins anew. */
	check_equal(evidence(greedy, 0), 0);
	check_equal(fake.task_starts, ARCH_TASKS + 2);
	/* All others go on. */
	check_equal(evidence(greedy, 1), 0);
	check_equal(fake.task_starts, ARCH_TASKS + 2);
}

static u64 ending;

static void shut_down(struct guest_context *guest)
{
	ecall(guest, COVE_EID_SRST, COVE_SRST_SYSTEM_RESET, 0, 0, 0);
}

static void end_and_ask(struct guest_context *guest)
{
	if (fake.guest_entries == before + 1) {
		run_beside(ending, VCPUS - 1, shut_down);
		before = fake.guest_entries - 1;
	}
	ask(guest);
}

static void another_ends_the_tvm(void)
{
	run_beside(ending, VCPUS - 2, end_and_ask);
	check_equal(arch_task_memory(0)->request.key_size, KEY_SIZE);
}

/* The TVM has ended, but this vCPU is in its task: that is nobody else's. */
static void a_task_at_work_is_left_alone(void)
{
	ending = take_all_tasks();
	fake.task_works = another_ends_the_tvm;
	got = 1;
	check_equal(run_vcpu(ending, 0, ask).error, 0);
	check_equal(got, 0);
	/* That of the vCPU which asked meanwhile took the place of another. */
	check_equal(fake.task_starts, ARCH_TASKS + 1);
	check_equal(*(u8 *)phys_to_virt(AT_DATA), 0xd2);
}

const struct test attest_many_tests[] = {
	{ "attest: tasks are shared out", tasks_are_shared_out },
	{ "attest: a task at work", a_task_at_work_is_left_alone },
	{ NULL, NULL },
};
