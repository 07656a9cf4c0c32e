// SPDX-License-Identifier: BSD-2-Clause
/* Zero pages, ranges of pages, fences of a TVM, sharing. */
#include "tests/run.h"

#define ADDRESS		COVE_ERR_INVALID_ADDRESS
#define FREE_PAGE	(AT_DATA + 4 * PAGE_SIZE)
#define FREE_GPA	(GUEST_BASE + 4 * PAGE_SIZE)
#define GPA		(GUEST_BASE + PAGE_SIZE)
#define INVALIDATE(...)	covh(TVM_INVALIDATE_PAGES, tvm, __VA_ARGS__).error
#define VALIDATE(...)	covh(TVM_VALIDATE_PAGES, tvm, __VA_ARGS__).error
#define REMOVE(...)	covh(TVM_REMOVE_PAGES, tvm, __VA_ARGS__).error
#define ZERO(...)	covh(ADD_TVM_ZERO_PAGES, tvm, __VA_ARGS__)
#define SHARED(...)	covh(ADD_TVM_SHARED_PAGES, tvm, __VA_ARGS__)
#define FENCE()		covh(TVM_FENCE, tvm).error

static u64 mapped(u64 gpa)
{
	return gstage_lookup(AT_DIRECTORY, gpa);
}

static void zero_pages_come_when_runnable(void)
{
	tvm = build_tvm();
	check_equal(ZERO(FREE_PAGE, 0, 1, FREE_GPA).error, PARAM);
	check_equal(covh(FINALIZE_TVM, tvm, GUEST_BASE, 0, 0).error, 0);
	memset(phys_to_virt(FREE_PAGE), 0xaa, 2 * PAGE_SIZE);
	check_equal(ZERO(FREE_PAGE, 0, 2, FREE_GPA).value, 2);
	check_equal(mapped(FREE_GPA), FREE_PAGE);
	check_equal(mapped(FREE_GPA + PAGE_SIZE), FREE_PAGE + PAGE_SIZE);
	check_equal(*(u64 *)phys_to_virt(FREE_PAGE + 2 * PAGE_SIZE - 8), 0);
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], 4);
	check_equal(ZERO(FREE_PAGE + 2 * PAGE_SIZE, 0, 1, FREE_GPA).error,
		    ADDRESS);
	check_equal(ZERO(FREE_PAGE, 0, 1, FREE_GPA + 8 * PAGE_SIZE).error,
		    ADDRESS);
	check_equal(ZERO(FREE_PAGE + 2 * PAGE_SIZE, 0, 1,
			 GUEST_BASE + GUEST_SIZE).error, ADDRESS);
	check_equal(ZERO(FREE_PAGE + 2 * PAGE_SIZE, 3, 1, 0).error, PARAM);
	check_equal(ZERO(FREE_PAGE + 2 * PAGE_SIZE, 0, 0, 0).error, PARAM);
	check_equal(ZERO(FREE_PAGE + 2 * PAGE_SIZE, 2, ~0UL, 0).error, PARAM);
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], 4);
}

static void blocked_pages_are_not_mapped(void)
{
	tvm = start_tvm();
	check_equal(VALIDATE(GUEST_BASE, PAGE_SIZE), ADDRESS);
	check_equal(INVALIDATE(GUEST_BASE, 3 * PAGE_SIZE), ADDRESS);
	check_equal(mapped(GUEST_BASE), AT_DATA);
	check_equal(INVALIDATE(GUEST_BASE, 2 * PAGE_SIZE), 0);
	check_equal(mapped(GUEST_BASE) | mapped(GPA), 0);
	check_equal(INVALIDATE(GPA, PAGE_SIZE), ADDRESS);
	check_equal(VALIDATE(GUEST_BASE, 2 * PAGE_SIZE), 0);
	check_equal(mapped(GPA), AT_DATA + PAGE_SIZE);
	check_equal(INVALIDATE(GPA, 0), PARAM);
	check_equal(INVALIDATE(GPA, 12), PARAM);
	check_equal(INVALIDATE(GPA + 12, PAGE_SIZE), ADDRESS);
	check_equal(INVALIDATE(GSTAGE_END, PAGE_SIZE), ADDRESS);
	check_equal(covh(TVM_INVALIDATE_PAGES, tvm + 1, GPA, PAGE_SIZE).error,
		    PARAM);
}

static void share(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, COVE_COVG_SHARE_MEMORY_REGION, GPA,
	      PAGE_SIZE, 0);
}

static void unshare(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, COVE_COVG_UNSHARE_MEMORY_REGION, GPA,
	      PAGE_SIZE, 0);
}

static s64 guest_got;

static void see_answer(struct guest_context *guest)
{
	guest_got = (s64)guest->gpr[A0];
	interrupt(guest);
}

static s64 run_on(s64 reply)
{
	test_nacl()->gpr[A0] = (u64)reply;
	guest_got = 12345;
	return run(see_answer).error;
}

/* Up to the moment at which the page may be removed */
static void give_up_page(void)
{
	check_equal(run(share).scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[A0], GPA);
	check_equal(REMOVE(GPA, PAGE_SIZE), ADDRESS);
	check_equal(run_on(0), ADDRESS);
	check_equal(INVALIDATE(GPA, PAGE_SIZE), 0);
	check_equal(REMOVE(GPA, PAGE_SIZE), ADDRESS);
	check_equal(run_on(0), ADDRESS);
	check_equal(guest_got, 12345);
	check_equal(FENCE(), 0);
}

/* A call that began when the vCPU was on its hart already looks at regions. */
static void regions_stay_while_a_call_looks(void)
{
	static const s64 replies[] = { 0, COVE_ERR_DENIED };
	struct run vcpu = { 0 };
	unsigned int i;

	tvm = start_tvm();
	give_up_page();
	check_equal(REMOVE(GPA, PAGE_SIZE), 0);
	check_equal(tvm_lock(tvm, &vcpu.tvm), 0);
	vcpu.vcpu = vcpu_find(vcpu.tvm, 0);
	vcpu.nacl = test_nacl();
	tvm_hold(vcpu.tvm);
	tvm_unlock(vcpu.tvm);
	for (i = 0; i < ARRAY_SIZE(replies); i++) {
		test_nacl()->gpr[A0] = (u64)replies[i];
		check_equal(run_take_reply(&vcpu), DUE_BUSY);
		check_equal(tvm_region_kind(vcpu.tvm, GPA), REGION_SHARING);
		check_equal(test_nacl()->gpr[A0], (u64)replies[i]);
	}
	check_equal(run_on(COVE_ERR_DENIED), COVE_ERR_BUSY);
	tvm_let_go(vcpu.tvm);
	check_equal(run_on(COVE_ERR_DENIED), 0);
	check_equal(guest_got, COVE_ERR_DENIED);
	check_equal(tvm_region_kind(vcpu.tvm, GPA), REGION_CONFIDENTIAL);
}

static void share_page(void)
{
	tvm = start_tvm();
	give_up_page();
	check_equal(REMOVE(GPA, PAGE_SIZE), 0);
	check_equal(page_state(AT_DATA + PAGE_SIZE), PAGE_UNASSIGNED);
	check_equal(ZERO(FREE_PAGE, 0, 1, GPA).error, ADDRESS);
	check_equal(SHARED(HOST_BASE, 0, 1, GPA).error, ADDRESS);
	check_equal(run_on(0), 0);
	check_equal(guest_got, 0);
}

static void shared_page_is_the_hosts(void)
{
	u64 page = POOL_BASE + 100 * PAGE_SIZE;

	share_page();
	check_equal(ZERO(FREE_PAGE, 0, 1, GPA).error, ADDRESS);
	check_equal(SHARED(FREE_PAGE, 0, 1, GPA).error, ADDRESS);
	check_equal(SHARED(TSM_BASE, 0, 1, GPA).error, ADDRESS);
	check_equal(SHARED(page, 0, 1, GUEST_BASE).error, ADDRESS);
	check_equal(SHARED(page, 0, 1, GPA).value, 1);
	check_equal(mapped(GPA), page);
	/* It cannot be converted under the TVM's hands. */
	check_equal(covh(CONVERT_PAGES, page, 1).error, ADDRESS);
	check_equal(covh(DESTROY_TVM, tvm).error, 0);
	check_equal(covh(CONVERT_PAGES, page, 1).error, 0);
}

static void unshared_page_is_gone(void)
{
	u64 page = POOL_BASE + 100 * PAGE_SIZE;

	share_page();
	check_equal(SHARED(page, 0, 1, GPA).error, 0);
	check_equal(INVALIDATE(GPA, PAGE_SIZE), 0);
	check_equal(FENCE(), 0);
	check_equal(REMOVE(GPA, PAGE_SIZE), ADDRESS);
	check_equal(VALIDATE(GPA, PAGE_SIZE), 0);
	check_equal(run(unshare).scause, CAUSE_ECALL_VS);
	check_equal(run_on(0), ADDRESS);
	check_equal(INVALIDATE(GPA, PAGE_SIZE), 0);
	check_equal(run_on(0), ADDRESS);
	check_equal(FENCE(), 0);
	check_equal(REMOVE(GPA, PAGE_SIZE), 0);
	check_equal(covh(CONVERT_PAGES, page, 1).error, 0);
	check_equal(run_on(0), 0);
	check_equal(ZERO(FREE_PAGE, 0, 1, GPA).error, 0);
}

static void host_can_refuse(void)
{
	tvm = start_tvm();
	check_equal(run(share).scause, CAUSE_ECALL_VS);
	check_equal(run_on(COVE_ERR_DENIED), 0);
	check_equal(guest_got, COVE_ERR_DENIED);
	check_equal(ZERO(FREE_PAGE, 0, 1, FREE_GPA).error, 0);
	check_equal(mapped(GPA), AT_DATA + PAGE_SIZE);
}

/* While the vCPU is on its hart the host tries to take its page. */
static void share_while_running(struct guest_context *guest)
{
	fake.hart = 1;
	check_equal(INVALIDATE(GPA, PAGE_SIZE), 0);
	check_equal(FENCE(), 0);
	check_equal(FENCE(), COVE_ERR_ALREADY_STARTED);
	check_equal(REMOVE(GPA, PAGE_SIZE), ADDRESS);
	fake.hart = 0;
	share(guest);
}

static void a_running_vcpu_holds_up_the_fence(void)
{
	tvm = start_tvm();
	check_equal(run(share_while_running).scause, CAUSE_ECALL_VS);
	check_equal(REMOVE(GPA, PAGE_SIZE), 0);
	check_equal(FENCE(), 0);
	check_equal(FENCE(), 0);
}

#define LARGE_PAGE	(POOL_BASE + 512 * PAGE_SIZE)
#define LARGE		(PAGE_SIZE << 9)
#define REGION		0x80400000UL

static u64 large_tvm(void)
{
	give_pages(POOL_BASE, POOL_PAGES);
	tvm = create_tvm();
	check_equal(covh(ADD_TVM_MEMORY_REGION, tvm, REGION, 4 * LARGE).error,
		    0);
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, tvm, AT_TABLES, 3).error, 0);
	check_equal(covh(CREATE_TVM_VCPU, tvm, 0, AT_VCPU).error, 0);
	check_equal(covh(FINALIZE_TVM, tvm, REGION, 0, 0).error, 0);
	fake_info.nacl[0] = NACL_BASE;
	return tvm;
}

static void large_pages_split_and_join(void)
{
	tvm = large_tvm();
	check_equal(ZERO(LARGE_PAGE + PAGE_SIZE, 1, 1, REGION).error, ADDRESS);
	check_equal(ZERO(LARGE_PAGE, 1, 1, REGION + PAGE_SIZE).error, ADDRESS);
	check_equal(ZERO(LARGE_PAGE, 1, 1, REGION).value, 1);
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], 512);
	check_equal(mapped(REGION + 5 * PAGE_SIZE), LARGE_PAGE + 5 * PAGE_SIZE);
	check_equal(INVALIDATE(REGION, PAGE_SIZE), ADDRESS);
	check_equal(covh(DEMOTE_PAGE, tvm, REGION, 0).error, ADDRESS);
	check_equal(INVALIDATE(REGION, LARGE), 0);
	check_equal(covh(DEMOTE_PAGE, tvm, REGION, 0).error, ADDRESS);
	check_equal(FENCE(), 0);
	check_equal(covh(DEMOTE_PAGE, tvm, REGION, 0).error, 0);
	check_equal(mapped(REGION + 511 * PAGE_SIZE),
		    LARGE_PAGE + 511 * PAGE_SIZE);
	check_equal(INVALIDATE(REGION, LARGE), 0);
	check_equal(covh(PROMOTE_PAGE, tvm, REGION, 1).error, ADDRESS);
	check_equal(FENCE(), 0);
	check_equal(covh(PROMOTE_PAGE, tvm, REGION, 1).error, 0);
	check_equal(gstage_find(AT_DIRECTORY, REGION).level, 1);
	check_equal(mapped(REGION + 7 * PAGE_SIZE), LARGE_PAGE + 7 * PAGE_SIZE);
	check_equal(covh(DESTROY_TVM, tvm).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], POOL_PAGES);
}

/* A hart may still know where the table was that a promotion sets free. */
static void promote_while_running(struct guest_context *guest)
{
	check_equal(covh(PROMOTE_PAGE, tvm, REGION, 1).error, COVE_ERR_BUSY);
	interrupt(guest);
}

static void joining_waits_for_the_vcpus(void)
{
	tvm = large_tvm();
	check_equal(ZERO(LARGE_PAGE, 1, 1, REGION).error, 0);
	check_equal(INVALIDATE(REGION, LARGE), 0);
	check_equal(FENCE(), 0);
	check_equal(covh(DEMOTE_PAGE, tvm, REGION, 0).error, 0);
	check_equal(INVALIDATE(REGION, LARGE), 0);
	check_equal(FENCE(), 0);
	check_equal(run(promote_while_running).error, 0);
	check_equal(covh(PROMOTE_PAGE, tvm, REGION, 1).error, 0);
}

static void splitting_takes_a_table(void)
{
	tvm = large_tvm();
	check_equal(ZERO(LARGE_PAGE, 1, 1, REGION).error, 0);
	/* The last of the three tables */
	check_equal(ZERO(FREE_PAGE, 0, 1, REGION + LARGE).error, 0);
	check_equal(INVALIDATE(REGION, LARGE), 0);
	check_equal(FENCE(), 0);
	check_equal(covh(DEMOTE_PAGE, tvm, REGION, 0).error,
		    COVE_ERR_OUT_OF_PTPAGES);
	check_equal(ZERO(FREE_PAGE + PAGE_SIZE, 0, 1,
			 REGION + 2 * LARGE).error, COVE_ERR_OUT_OF_PTPAGES);
}

static void late_fault(struct guest_context *guest)
{
	if (fake.guest_entries > 1) {
		interrupt(guest);
		return;
	}
	fake.hart = 1;
	check_equal(ZERO(FREE_PAGE, 0, 1, FREE_GPA).error, 0);
	fake.hart = 0;
	guest->scause = CAUSE_LOAD_GUEST_PAGE;
	guest->htval = FREE_GPA >> 2;
}

static void a_page_that_has_come_is_no_exit(void)
{
	tvm = start_tvm();
	check_equal(run(late_fault).scause, CAUSE_INTERRUPT | 5);
	check_equal(fake.guest_entries, 2);
}

const struct test share_tests[] = {
	{ "zero pages", zero_pages_come_when_runnable },
	{ "ranges: blocked pages", blocked_pages_are_not_mapped },
	{ "share: the page is the host's", shared_page_is_the_hosts },
	{ "share: and comes back", unshared_page_is_gone },
	{ "share: refused", host_can_refuse },
	{ "share: beside a call", regions_stay_while_a_call_looks },
	{ "share: a running vCPU", a_running_vcpu_holds_up_the_fence },
	{ "sizes: split and join", large_pages_split_and_join },
	{ "sizes: joining waits", joining_waits_for_the_vcpus },
	{ "sizes: tables run out", splitting_takes_a_table },
	{ "fault of a page that has come", a_page_that_has_come_is_no_exit },
	{ NULL, NULL },
};
