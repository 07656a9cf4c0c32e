// SPDX-License-Identifier: BSD-2-Clause
/* Exits, forwarded calls and the guest's SBI. */
#include "tests/run.h"

static u64 csr_slot(unsigned int number)
{
	return test_nacl()->csr[(number & 0xc00) >> 2 | (number & 0xff)];
}

static void first_entry(struct guest_context *guest)
{
	check_equal(guest->sepc, GUEST_BASE);
	check_equal(guest->gpr[A0], 0);
	check_equal(guest->gpr[A1], GUEST_ARG);
	check_true(guest->supervisor);
	check_equal(fake.space.root, AT_DIRECTORY);
	check_equal(fake.space.vmid, 1);
	guest->vstimecmp = 1234;
	guest->sepc += 40;
	interrupt(guest);
}

static void second_entry(struct guest_context *guest)
{
	check_equal(guest->sepc, GUEST_BASE + 40);
	check_equal(guest->gpr[A1], GUEST_ARG);
	interrupt(guest);
}

static void interrupt_goes_to_the_host(void)
{
	struct answer answer;

	tvm = start_tvm();
	fake.time = 1000;
	test_nacl()->gpr[A0] = 99;
	answer = run(first_entry);
	check_equal(answer.error, 0);
	check_equal(answer.value, 0);
	check_true(answer.cause_valid);
	check_equal(answer.scause, CAUSE_INTERRUPT | 5);
	check_equal(answer.stval, 0);
	check_equal(csr_slot(CSR_VSTIMECMP), 1234);
	check_equal(csr_slot(CSR_HTIMEDELTA), -1000UL);
	check_equal(run(second_entry).error, 0);
	check_equal(fake.space.timedelta, -1000UL);
	check_true(!fake.loaded);
}

static void every_run_is_fenced_and_recorded(void)
{
	const u16 kinds[] = { TEE_EVENT_GUEST_FENCE, TEE_EVENT_GUEST_ENTER,
			      TEE_EVENT_GUEST_EXIT, TEE_EVENT_GUEST_FENCE };
	const struct tee_event *event;
	unsigned int i;

	tvm = start_tvm();
	check_equal(run(interrupt).error, 0);
	check_equal(fake.fences, 2);
	check_equal(tsm_rings[0].head, ARRAY_SIZE(kinds));
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		check_equal(tsm_rings[0].events[i].kind, kinds[i]);
	event = &tsm_rings[0].events[2];
	check_equal(event->error, CAUSE_INTERRUPT | 5);
	check_equal(event->aux, tvm << 32);
	check_equal(event->sdid, 1);
}

static void shutdown(struct guest_context *guest)
{
	ecall(guest, COVE_EID_SRST, 0, 0, 1, 2);
}

static void shutdown_is_final(void)
{
	struct answer answer;

	tvm = start_tvm();
	answer = run(shutdown);
	check_equal(answer.error, 0);
	check_equal(answer.value, 1);
	check_equal(answer.scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[A1], 1);
	check_equal(test_nacl()->gpr[12], 0);
	check_equal(run(shutdown).error, PARAM);
	check_equal(covh(DESTROY_TVM, tvm).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES);
}

static void missing_page(struct guest_context *guest)
{
	guest->scause = CAUSE_LOAD_GUEST_PAGE;
	guest->htval = (GUEST_BASE + 5 * PAGE_SIZE + 0x123) >> 2;
	guest->stval = 3;
}

static void missing_page_can_be_given(void)
{
	struct answer answer;

	tvm = start_tvm();
	answer = run(missing_page);
	check_equal(answer.error | answer.value, 0);
	check_equal(answer.scause, CAUSE_LOAD_GUEST_PAGE);
	check_equal(answer.stval, 0);
	check_equal(csr_slot(CSR_HTVAL), (GUEST_BASE + 5 * PAGE_SIZE) >> 2);
	check_equal(run(interrupt).error, 0);
}

static void no_memory_there(struct guest_context *guest)
{
	guest->scause = CAUSE_STORE_GUEST_PAGE;
	guest->htval = 0x10000000 >> 2;
}

static void stray_access_is_fatal(void)
{
	struct answer answer;

	tvm = start_tvm();
	answer = run(no_memory_there);
	check_equal(answer.value, 1);
	check_equal(answer.scause, CAUSE_STORE_GUEST_PAGE);
	check_equal(run(interrupt).error, PARAM);
}

static void odd_trap(struct guest_context *guest)
{
	guest->scause = 5;
	guest->stval = 0x1234;
}

static void other_traps_are_fatal(void)
{
	tvm = start_tvm();
	check_equal(run(odd_trap).value, 1);
	check_equal(run(interrupt).error, PARAM);
}

static void wfi(struct guest_context *guest)
{
	guest->scause = CAUSE_VIRTUAL;
	guest->stval = 0x10500073;
}

static void wfi_gives_the_hart_back(void)
{
	struct answer answer;

	tvm = start_tvm();
	answer = run(wfi);
	check_equal(answer.value, 0);
	check_equal(answer.scause, CAUSE_VIRTUAL);
	check_equal(answer.stval, 0x10500073);
	check_equal(run(interrupt).error, 0);
}

static void virtual_csr(struct guest_context *guest)
{
	if (fake.guest_entries == 1) {
		guest->vstvec = GUEST_BASE + 0x101;
		guest->vsstatus = SSTATUS_SIE | VSSTATUS_UXL_64;
		guest->supervisor = false;
		guest->scause = CAUSE_VIRTUAL;
		guest->stval = 0x60002573;
		return;
	}
	check_equal(guest->sepc, GUEST_BASE + 0x100);
	check_equal(guest->vsepc, GUEST_BASE);
	check_equal(guest->vscause, CAUSE_ILLEGAL);
	check_equal(guest->vstval, 0x60002573);
	check_equal(guest->vsstatus, SSTATUS_SPIE | VSSTATUS_UXL_64);
	check_true(guest->supervisor);
	interrupt(guest);
}

static void other_instructions_are_illegal(void)
{
	tvm = start_tvm();
	check_equal(run(virtual_csr).scause, CAUSE_INTERRUPT | 5);
}

/* While the guest runs, the other hart tries to get at it. */
static void meddle(struct guest_context *guest)
{
	fake.hart = 1;
	check_equal(covh(DESTROY_TVM, tvm).error, COVE_ERR_FAILED);
	check_equal(covh(RUN_TVM_VCPU, tvm, 0).error, PARAM);
	fake.hart = 0;
	interrupt(guest);
}

static void running_vcpu_is_left_alone(void)
{
	tvm = start_tvm();
	check_equal(run(meddle).error, 0);
	check_equal(fake.guest_entries, 1);
	check_equal(covh(DESTROY_TVM, tvm).error, 0);
}

static void run_is_checked(void)
{
	tvm = build_tvm();
	check_equal(covh(CREATE_TVM_VCPU, tvm, 1,
			 AT_DATA + 2 * PAGE_SIZE).error, 0);
	fake.guest = interrupt;
	check_equal(covh(RUN_TVM_VCPU, tvm, 0).error, COVE_ERR_NO_SHMEM);
	fake_info.nacl[0] = NACL_BASE;
	check_equal(covh(RUN_TVM_VCPU, tvm, 0).error, PARAM);
	check_equal(covh(FINALIZE_TVM, tvm, GUEST_BASE, 0, 0).error, 0);
	check_equal(covh(RUN_TVM_VCPU, tvm, 1).error, PARAM);
	check_equal(covh(RUN_TVM_VCPU, tvm, 2).error, PARAM);
	check_equal(covh(RUN_TVM_VCPU, tvm, ~0UL).error, PARAM);
	check_equal(covh(RUN_TVM_VCPU, tvm, 0).error, 0);
}

static void look_at_vectors(struct guest_context *guest)
{
	const u8 *base = phys_to_virt(AT_DATA + 2 * PAGE_SIZE);
	const u8 *vector = guest->vector;

	check_true(vector >= base + sizeof(struct vcpu));
	check_true(vector + fake.vector_size <= base + 2 * PAGE_SIZE);
	check_equal((u64)vector % sizeof(u64), 0);
	memset(guest->vector, 0xff, fake.vector_size);
	interrupt(guest);
}

/* 32 registers of 1024 bits do not fit in a page beside all the rest. */
static void vectors_need_more_pages(void)
{
	u64 *info = phys_to_virt(HOST_BASE);

	check_equal(covh(GET_TSM_INFO, HOST_BASE, 48).error, 0);
	check_equal(info[5], 1);
	fake.vector_size = 32 + 32 * 128;
	check_equal(covh(GET_TSM_INFO, HOST_BASE, 48).error, 0);
	check_equal(info[5], 2);
	give_pages(POOL_BASE, BUILD_PAGES);
	tvm = create_tvm();
	/* The page behind it is the host's. */
	check_equal(covh(CREATE_TVM_VCPU, tvm, 0,
			 POOL_BASE + (BUILD_PAGES - 1) * PAGE_SIZE).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(covh(CREATE_TVM_VCPU, tvm, 0,
			 AT_DATA + 2 * PAGE_SIZE).error, 0);
	check_equal(tsm_stats.pages[PAGE_TVM_VCPU], 2);
	check_equal(covh(FINALIZE_TVM, tvm, GUEST_BASE, 0, 0).error, 0);
	fake_info.nacl[0] = NACL_BASE;
	check_equal(run(look_at_vectors).error, 0);
	check_equal(page_state(AT_DATA + 4 * PAGE_SIZE), PAGE_UNASSIGNED);
	check_equal(covh(DESTROY_TVM, tvm).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES);
}

const struct test run_tests[] = {
	{ "run: interrupt", interrupt_goes_to_the_host },
	{ "run: fences and events", every_run_is_fenced_and_recorded },
	{ "run: shutdown", shutdown_is_final },
	{ "run: missing page", missing_page_can_be_given },
	{ "run: stray access", stray_access_is_fatal },
	{ "run: other traps", other_traps_are_fatal },
	{ "run: WFI", wfi_gives_the_hart_back },
	{ "run: injected illegal instruction", other_instructions_are_illegal },
	{ "run: running vCPU", running_vcpu_is_left_alone },
	{ "run: arguments", run_is_checked },
	{ "run: vector registers", vectors_need_more_pages },
	{ NULL, NULL },
};
