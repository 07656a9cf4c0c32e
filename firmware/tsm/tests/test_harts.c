// SPDX-License-Identifier: BSD-2-Clause
/* What vCPUs do to each other, and interrupts from outside. */
#include "tests/run.h"

#define SECOND_VCPU	(AT_DATA + 8 * PAGE_SIZE)
#define ENTRY		(GUEST_BASE + 0x800)

static u64 two_vcpus(void)
{
	u64 id = build_tvm();

	check_equal(covh(CREATE_TVM_VCPU, id, 1, SECOND_VCPU).error, 0);
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, GUEST_ARG, 0).error, 0);
	fake_info.nacl[0] = NACL_BASE;
	fake_info.nacl[1] = NACL_BASE + COVE_NACL_SHMEM_SIZE;
	return id;
}

/* vCPU 1 on the other hart, in the middle of whatever goes on here */
static struct answer run_second(void (*guest)(struct guest_context *guest))
{
	struct guest_space space = fake.space;
	void (*first)(struct guest_context *guest) = fake.guest;
	unsigned int hart = fake.hart;
	bool loaded = fake.loaded;
	struct answer answer;

	fake.hart = 1;
	fake.guest = guest;
	answer = covh(RUN_TVM_VCPU, tvm, 1);
	fake.hart = hart;
	fake.guest = first;
	fake.space = space;
	fake.loaded = loaded;
	return answer;
}

static void start_second(struct guest_context *guest)
{
	ecall(guest, COVE_EID_HSM, COVE_HSM_HART_START, 1, ENTRY, 77);
}

static void second_begins(struct guest_context *guest)
{
	check_equal(guest->sepc, ENTRY);
	check_equal(guest->gpr[A0], 1);
	check_equal(guest->gpr[A1], 77);
	interrupt(guest);
}

static void begin_two(void)
{
	tvm = two_vcpus();
	check_equal(run_second(interrupt).error, PARAM);
	check_equal(run(start_second).scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[17], COVE_EID_HSM);
	check_equal(test_nacl()->gpr[16], COVE_HSM_HART_START);
	check_equal(test_nacl()->gpr[A0], 1);
	check_equal(test_nacl()->gpr[A1] | test_nacl()->gpr[12], 0);
	check_equal(run_second(second_begins).error, 0);
}

static void start_is_told(void)
{
	begin_two();
	check_equal(run(interrupt).error, 0);
}

/* Each call and its answer; the last one leaves by an interrupt. */
struct call {
	u64 eid, fid, a0, a1, a2;
	s64 error;
	u64 value;
};

static const struct call *script;
static unsigned int length, first_entry;

static void play(struct guest_context *guest)
{
	unsigned int next = fake.guest_entries - first_entry;

	if (next) {
		check_equal((s64)guest->gpr[A0], script[next - 1].error);
		check_equal(guest->gpr[A1], script[next - 1].value);
	}
	if (next == length) {
		interrupt(guest);
		return;
	}
	ecall(guest, script[next].eid, script[next].fid, script[next].a0,
	      script[next].a1, script[next].a2);
}

static void run_script(const struct call *calls, unsigned int count)
{
	script = calls;
	length = count;
	first_entry = fake.guest_entries + 1;
	check_equal(run(play).scause, CAUSE_INTERRUPT | 5);
	check_equal(fake.guest_entries - first_entry, count);
}

#define HSM	COVE_EID_HSM
#define SUPPORT	COVE_ERR_NOT_SUPPORTED

static void wrong_calls_are_refused(void)
{
	static const struct call calls[] = {
		{ HSM, 0, 2, ENTRY, 0, PARAM, 0 },
		{ HSM, 0, 99, ENTRY, 0, PARAM, 0 },
		{ HSM, 0, 0, ENTRY, 0, COVE_ERR_ALREADY_AVAILABLE, 0 },
		{ HSM, 0, 1, 0x1000, 0, COVE_ERR_INVALID_ADDRESS, 0 },
		{ HSM, 2, 0, 0, 0, 0, COVE_HSM_STARTED },
		{ HSM, 2, 1, 0, 0, 0, COVE_HSM_STOPPED },
		{ HSM, 2, 2, 0, 0, PARAM, 0 },
		{ HSM, 3, 1, 0, 0, PARAM, 0 },
		{ HSM, 3, 0x10000000, 0, 0, SUPPORT, 0 },
		{ HSM, 3, 0x80000001, 0, 0, PARAM, 0 },
		{ HSM, 3, 0x90000000, 0, 0, SUPPORT, 0 },
		{ HSM, 3, 1UL << 32, 0, 0, PARAM, 0 },
		{ HSM, 3, 0x80000000, 0x1000, 0, COVE_ERR_INVALID_ADDRESS, 0 },
		{ HSM, 4, 0, 0, 0, SUPPORT, 0 },
		{ COVE_EID_IPI, 0, 4, 0, 0, PARAM, 0 },
		{ COVE_EID_IPI, 0, 1, 2, 0, PARAM, 0 },
		{ COVE_EID_IPI, 0, 1, 64, 0, PARAM, 0 },
		{ COVE_EID_IPI, 0, 1UL << 63, 1, 0, PARAM, 0 },
		{ COVE_EID_IPI, 0, 0, 0, 0, 0, 0 },
		{ COVE_EID_IPI, 1, 1, 0, 0, SUPPORT, 0 },
		{ COVE_EID_RFENCE, 0, 4, 0, 0, PARAM, 0 },
		{ COVE_EID_RFENCE, 1, 3, 0, 0, 0, 0 },
		{ COVE_EID_RFENCE, 3, 1, 0, 0, SUPPORT, 0 },
		{ COVE_EID_TIME, 0, 123, 0, 0, 0, 0 },
		{ COVE_EID_TIME, 1, 123, 0, 0, SUPPORT, 0 },
		{ COVE_EID_PMU, 0, 0, 0, 0, SUPPORT, 0 },
	};

	tvm = two_vcpus();
	run_script(calls, ARRAY_SIZE(calls));
}

static void timer_needs_sstc(void)
{
	static const struct call calls[] = {
		{ COVE_EID_BASE, 3, COVE_EID_TIME, 0, 0, 0, 0 },
		{ COVE_EID_TIME, 0, 123, 0, 0, SUPPORT, 0 },
	};

	tvm = start_tvm();
	fake.no_timer = true;
	run_script(calls, ARRAY_SIZE(calls));
}

static void stop_itself(struct guest_context *guest)
{
	ecall(guest, COVE_EID_HSM, COVE_HSM_HART_STOP, 0, 0, 0);
}

static void stopped_vcpu_can_start_again(void)
{
	begin_two();
	check_equal(run_second(stop_itself).value, 0);
	check_equal(run_second(interrupt).error, PARAM);
	check_equal(run(start_second).scause, CAUSE_ECALL_VS);
	check_equal(run_second(second_begins).error, 0);
}

static void odd_trap(struct guest_context *guest)
{
	guest->scause = 5;
}

static void dead_vcpu_cannot(void)
{
	static const struct call calls[] = {
		{ HSM, 2, 1, 0, 0, 0, COVE_HSM_STOPPED },
		{ HSM, 0, 1, ENTRY, 0, COVE_ERR_FAILED, 0 },
	};

	begin_two();
	check_equal(run_second(odd_trap).value, 1);
	run_script(calls, ARRAY_SIZE(calls));
}

static void send_ipi(struct guest_context *guest)
{
	ecall(guest, COVE_EID_IPI, COVE_IPI_SEND_IPI, 3, 0, 0);
}

static void has_ipi(struct guest_context *guest)
{
	check_equal(guest->hvip, HVIP_VSSIP);
	interrupt(guest);
}

static void ipi_reaches_both(void)
{
	begin_two();
	check_equal(run(send_ipi).scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[17], COVE_EID_IPI);
	check_equal(test_nacl()->gpr[A0], 2);
	check_equal(run(has_ipi).error, 0);
	check_equal(run_second(has_ipi).error, 0);
}

static void wait(struct guest_context *guest)
{
	guest->scause = CAUSE_VIRTUAL;
	guest->stval = 0x10500073;
}

static void wait_with_ipi(struct guest_context *guest)
{
	if (fake.guest_entries > 3) {
		interrupt(guest);
		return;
	}
	guest->vsie = SIE_STIE | 1 << 1;
	guest->vstimecmp = ~0UL;
	wait(guest);
}

static void nobody_waits_for_what_is_there(void)
{
	begin_two();
	check_equal(run(send_ipi).scause, CAUSE_ECALL_VS);
	check_equal(run(wait_with_ipi).scause, CAUSE_INTERRUPT | 5);
}

static unsigned int first_try;

/* vCPU 0 asks for a fence while vCPU 1 is on its hart. */
static void fence_all(struct guest_context *guest)
{
	ecall(guest, COVE_EID_RFENCE, COVE_RFENCE_REMOTE_SFENCE_VMA, 0, ~0UL,
	      0);
}

static void second_is_in_the_way(struct guest_context *guest)
{
	struct guest_space space = fake.space;

	fake.hart = 0;
	check_equal(run(fence_all).scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[17], COVE_EID_RFENCE);
	check_equal(test_nacl()->gpr[A0], 2);
	first_try = fake.guest_entries;
	/* The host has done nothing: it is told once more. */
	check_equal(run(fence_all).scause, CAUSE_ECALL_VS);
	check_equal(fake.guest_entries, first_try);
	fake.space = space;
	fake.loaded = true;
	fake.hart = 1;
	interrupt(guest);
}

static void answered(struct guest_context *guest)
{
	check_equal(guest->gpr[A0], 0);
	interrupt(guest);
}

static void remote_fence_waits_for_the_others(void)
{
	begin_two();
	check_equal(run_second(second_is_in_the_way).error, 0);
	check_equal(run(answered).scause, CAUSE_INTERRUPT | 5);
}

static void remote_fence_of_nobody_is_done(void)
{
	static const struct call calls[] = {
		{ COVE_EID_RFENCE, 1, 0, ~0UL, 0, 0, 0 },
	};

	begin_two();
	run_script(calls, ARRAY_SIZE(calls));
}

#define SHARED_GPA	(GUEST_BASE + PAGE_SIZE)

static void share(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, COVE_COVG_SHARE_MEMORY_REGION, SHARED_GPA,
	      PAGE_SIZE, 0);
}

/* What vCPU 0 has given up may still be known to the hart of vCPU 1. */
static void remove_is_too_early(struct guest_context *guest)
{
	check_equal(covh(TVM_INVALIDATE_PAGES, tvm, SHARED_GPA,
			 PAGE_SIZE).error, 0);
	check_equal(covh(TVM_FENCE, tvm).error, 0);
	check_equal(covh(TVM_REMOVE_PAGES, tvm, SHARED_GPA, PAGE_SIZE).error,
		    COVE_ERR_INVALID_ADDRESS);
	interrupt(guest);
}

static void remove_waits_for_the_others(void)
{
	begin_two();
	check_equal(run(share).scause, CAUSE_ECALL_VS);
	check_equal(run_second(remove_is_too_early).error, 0);
	check_equal(covh(TVM_REMOVE_PAGES, tvm, SHARED_GPA, PAGE_SIZE).error,
		    0);
}

static u64 external;

static void see_external(struct guest_context *guest)
{
	check_equal(guest->external, external);
	interrupt(guest);
}

static void allow(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, COVE_COVG_ALLOW_EXTERNAL_INTERRUPT, 9, 0,
	      0);
}

static void deny(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, COVE_COVG_DENY_EXTERNAL_INTERRUPT, ~0UL,
	      0, 0);
}

static void external_interrupts_are_allowed_first(void)
{
	u64 *hvip;

	tvm = start_tvm();
	hvip = &test_nacl()->csr[(CSR_HVIP & 0xc00) >> 2 | (CSR_HVIP & 0xff)];
	*hvip = ~0UL;
	external = 0;
	check_equal(run(see_external).error, 0);
	check_equal(run(allow).scause, CAUSE_ECALL_VS);
	external = HVIP_VSEIP;
	check_equal(run(see_external).error, 0);
	*hvip = ~(u64)HVIP_VSEIP;
	external = 0;
	check_equal(run(see_external).error, 0);
	*hvip = HVIP_VSEIP;
	check_equal(run(deny).scause, CAUSE_ECALL_VS);
	check_equal(run(see_external).error, 0);
}

const struct test hart_tests[] = {
	{ "harts: start", start_is_told },
	{ "harts: wrong calls", wrong_calls_are_refused },
	{ "harts: no Sstc", timer_needs_sstc },
	{ "harts: stop and start", stopped_vcpu_can_start_again },
	{ "harts: dead", dead_vcpu_cannot },
	{ "harts: IPI", ipi_reaches_both },
	{ "harts: IPI before WFI", nobody_waits_for_what_is_there },
	{ "harts: fence waits", remote_fence_waits_for_the_others },
	{ "harts: fence of nobody", remote_fence_of_nobody_is_done },
	{ "harts: remove waits", remove_waits_for_the_others },
	{ "harts: external interrupts", external_interrupts_are_allowed_first },
	{ NULL, NULL },
};
