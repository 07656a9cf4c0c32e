// SPDX-License-Identifier: BSD-2-Clause
/* Each call with arguments that no honest host would pass. */
#include "tests/test.h"

#define PARAM	COVE_ERR_INVALID_PARAM
#define ADDRESS	COVE_ERR_INVALID_ADDRESS

/* Nothing that the TSM knows has changed. */
static struct tsm_stats before;

static void remember(void)
{
	before = tsm_stats;
}

static void check_unchanged(void)
{
	check_equal(memcmp(&before, &tsm_stats, sizeof(before)), 0);
}

/* Where a host pointer must not point. */
static const u64 hostile[] = {
	0, 8, 0x10000000, FIRMWARE_BASE, FIRMWARE_BASE + FIRMWARE_SIZE - 8,
	TSM_BASE, TSM_BASE + TSM_SIZE - 64, RAM_BASE + RAM_SIZE,
	AT_DATA, AT_DIRECTORY, ~0UL & ~63UL, ~0xfffUL,
};

static void unknown_functions_are_refused(void)
{
	const u64 fids[] = { 7, 20, 0x3ff, 0x43f, 0x442, 0xffff,
			     1UL << 16, 1UL << 25, 1UL << 32, ~0UL };
	unsigned int i;
	struct teecall other = { .args = { [7] = COVE_EID_COVI } };

	for (i = 0; i < ARRAY_SIZE(fids); i++)
		check_equal(teecall(fids[i], 0, 0, 0, 0, 0, 0).error,
			    COVE_ERR_NOT_SUPPORTED);
	check_equal(call_dispatch(&other).error, COVE_ERR_NOT_SUPPORTED);
}

static void tsm_info(void)
{
	const u32 *info = phys_to_virt(HOST_BASE);
	const u64 *wide = phys_to_virt(HOST_BASE);
	unsigned int i;

	give_pages(POOL_BASE, BUILD_PAGES);
	check_equal(covh(GET_TSM_INFO, HOST_BASE, 47).error, PARAM);
	check_equal(covh(GET_TSM_INFO, HOST_BASE + 2, 48).error, ADDRESS);
	for (i = 0; i < ARRAY_SIZE(hostile); i++)
		check_equal(covh(GET_TSM_INFO, hostile[i], 48).error, ADDRESS);
	check_equal(covh(GET_TSM_INFO, HOST_BASE, ~0UL).value, 48);
	check_equal(info[0], COVE_TSM_STATE_READY);
	check_equal(info[1], COVE_TSM_IMPL_ID);
	check_equal(wide[2], COVE_TSM_CAP_MEMORY_ALLOCATION);
	check_equal(wide[3], TVM_STATE_PAGES);
	check_equal(wide[6], 0);
}

static void convert_and_reclaim_check_all_first(void)
{
	struct answer answer;

	check_equal(covh(CONVERT_PAGES, POOL_BASE + 4 * PAGE_SIZE, 1).error, 0);
	remember();
	fake.assigns = 0;
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 8).error, ADDRESS);
	check_equal(covh(CONVERT_PAGES, POOL_BASE + 8, 1).error, ADDRESS);
	check_equal(covh(CONVERT_PAGES, HOST_BASE, 1).error, ADDRESS);
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 0).error, PARAM);
	check_equal(covh(CONVERT_PAGES, POOL_BASE, ~0UL).error, PARAM);
	check_equal(covh(CONVERT_PAGES, POOL_BASE, POOL_PAGES + 1).error,
		    ADDRESS);
	/* Converted, but not fenced: not the TSM's to give back yet. */
	check_equal(covh(RECLAIM_PAGES, POOL_BASE + 4 * PAGE_SIZE, 1).error,
		    ADDRESS);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 1).error, ADDRESS);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 0).error, PARAM);
	check_equal(fake.assigns + fake.releases, 0);
	check_unchanged();
	answer = covh(CONVERT_PAGES, POOL_BASE, 4);
	check_equal(answer.error, 0);
	check_equal(fake.moved_base, POOL_BASE);
	check_equal(fake.moved_pages, 4);
}

static void refusals_of_m_mode_are_passed_on(void)
{
	remember();
	fake.assign_error = COVE_ERR_OUT_OF_RANGES;
	check_equal(covh(CONVERT_PAGES, POOL_BASE, 100).error,
		    COVE_ERR_OUT_OF_RANGES);
	check_unchanged();
	fake.assign_error = 0;
	give_pages(POOL_BASE, 100);
	remember();
	fake.release_error = COVE_ERR_OUT_OF_RANGES;
	check_equal(covh(RECLAIM_PAGES, POOL_BASE + PAGE_SIZE, 1).error,
		    COVE_ERR_OUT_OF_RANGES);
	check_unchanged();
	check_equal(page_state(POOL_BASE + PAGE_SIZE), PAGE_UNASSIGNED);
	fake.release_error = 0;
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 100).error, 0);
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES);
}

static void reclaimed_pages_are_zero(void)
{
	u8 *bytes = phys_to_virt(POOL_BASE);
	u64 i, sum = 0;

	give_pages(POOL_BASE, 20);
	memset(bytes, 0xa5, 20 * PAGE_SIZE);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, 20).error, 0);
	for (i = 0; i < 20 * PAGE_SIZE; i++)
		sum += bytes[i];
	check_equal(sum, 0);
	check_equal(fake.releases, 1);
}

static s64 try_create(u64 directory, u64 state)
{
	u64 *params = phys_to_virt(HOST_BASE);

	params[0] = directory;
	params[1] = state;
	return covh(CREATE_TVM, HOST_BASE, 16).error;
}

static void create_refuses_bad_pages(void)
{
	unsigned int i;

	give_pages(POOL_BASE, BUILD_PAGES);
	remember();
	for (i = 0; i < ARRAY_SIZE(hostile); i++)
		check_equal(covh(CREATE_TVM, hostile[i], 16).error, ADDRESS);
	check_equal(covh(CREATE_TVM, HOST_BASE, 15).error, PARAM);
	check_equal(try_create(AT_DIRECTORY + PAGE_SIZE, AT_STATE), ADDRESS);
	check_equal(try_create(AT_DIRECTORY, AT_DIRECTORY), ADDRESS);
	check_equal(try_create(AT_DIRECTORY, AT_DIRECTORY + 3 * PAGE_SIZE),
		    ADDRESS);
	check_equal(try_create(AT_DIRECTORY, AT_STATE + 1), ADDRESS);
	check_equal(try_create(AT_DIRECTORY, HOST_BASE), ADDRESS);
	check_equal(try_create(HOST_BASE, AT_STATE), ADDRESS);
	check_equal(try_create(POOL_BASE + BUILD_PAGES * PAGE_SIZE, AT_STATE),
		    ADDRESS);
	check_unchanged();
	check_equal(try_create(AT_DIRECTORY, AT_STATE), 0);
	check_equal(try_create(AT_DIRECTORY, AT_VCPU), ADDRESS);
}

static void regions_are_checked(void)
{
	u64 id;

	give_pages(POOL_BASE, BUILD_PAGES);
	id = create_tvm();
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x1000, 0).error, PARAM);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x1000, 0x800).error,
		    PARAM);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x800, 0x1000).error,
		    ADDRESS);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, ~0xfffUL, 0x2000).error,
		    ADDRESS);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x1000,
			 GSTAGE_END).error, ADDRESS);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x4000, 0x2000).error, 0);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x5000, 0x1000).error,
		    ADDRESS);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0, 0x10000).error,
		    ADDRESS);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x6000, 0x1000).error, 0);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id + 256, 0x8000,
			 0x1000).error, PARAM);
}

static void measured_pages_are_checked(void)
{
	u64 id = build_tvm();
	u64 page = AT_DATA + 2 * PAGE_SIZE, gpa = GUEST_BASE + 2 * PAGE_SIZE;
	unsigned int i;

#define ADD(...)	covh(ADD_TVM_MEASURED_PAGES, __VA_ARGS__).error
	remember();
	for (i = 0; i < ARRAY_SIZE(hostile); i++)
		check_equal(ADD(id, hostile[i], page, 0, 1, gpa), ADDRESS);
	check_equal(ADD(id, HOST_BASE, HOST_BASE, 0, 1, gpa), ADDRESS);
	check_equal(ADD(id, HOST_BASE, AT_DATA, 0, 1, gpa), ADDRESS);
	check_equal(ADD(id, HOST_BASE, AT_STATE, 0, 1, gpa), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page + 1, 0, 1, gpa), ADDRESS);
	check_equal(ADD(id, HOST_BASE + 1, page, 0, 1, gpa), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page, 0, 1, gpa + 1), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page, 0, 1, GUEST_BASE), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page, 0, 1, 0x1000), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page, 0, 1, ~0xfffUL), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page, 0, 2,
			GUEST_BASE + GUEST_SIZE - PAGE_SIZE), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page, 1, 1, gpa), ADDRESS);
	check_equal(ADD(id, HOST_BASE, page, 3, 1, gpa), PARAM);
	check_equal(ADD(id, HOST_BASE, page, 4, 1, gpa), PARAM);
	check_equal(ADD(id, HOST_BASE, page, 0, 0, gpa), PARAM);
	check_equal(ADD(id, HOST_BASE, page, 0, ~0UL, gpa), PARAM);
	check_equal(ADD(id, HOST_BASE, page, 0, 1UL << 40, gpa), ADDRESS);
	check_equal(ADD(0, HOST_BASE, page, 0, 1, gpa), PARAM);
	/* The last of the targets belongs to nobody but the host. */
	check_equal(ADD(id, HOST_BASE, POOL_BASE + (BUILD_PAGES - 1) * PAGE_SIZE,
			0, 2, gpa), ADDRESS);
	/* The last of the sources is confidential. */
	check_equal(ADD(id, POOL_BASE - PAGE_SIZE, page, 0, 2, gpa), ADDRESS);
	check_unchanged();
	check_equal(ADD(id, HOST_BASE, page, 0, 1, gpa), 0);
#undef ADD
}

static void tables_can_run_out(void)
{
	u64 id = build_tvm();
	u64 page = AT_DATA + 2 * PAGE_SIZE;

	/* build_tvm() leaves one table; this takes two. */
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0x40000000, 0x1000).error,
		    0);
	remember();
	check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, page, 0, 1,
			 0x40000000).error, COVE_ERR_OUT_OF_PTPAGES);
	check_unchanged();
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id,
			 AT_TABLES + 4 * PAGE_SIZE, 1).error, 0);
	check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, page, 0, 1,
			 0x40000000).error, 0);
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id, AT_TABLES, 1).error,
		    ADDRESS);
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, 0, AT_DATA, 1).error,
		    PARAM);
}

static void vcpus_are_checked(void)
{
	u64 id = build_tvm();
	u64 page = AT_DATA + 2 * PAGE_SIZE;

	remember();
	check_equal(covh(CREATE_TVM_VCPU, id, 0, page).error, PARAM);
	check_equal(covh(CREATE_TVM_VCPU, id, TVM_MAX_VCPUS, page).error,
		    PARAM);
	check_equal(covh(CREATE_TVM_VCPU, id, ~0UL, page).error, PARAM);
	check_equal(covh(CREATE_TVM_VCPU, id, 1, AT_VCPU).error, ADDRESS);
	check_equal(covh(CREATE_TVM_VCPU, id, 1, HOST_BASE).error, ADDRESS);
	check_equal(covh(CREATE_TVM_VCPU, id, 1, page + 8).error, ADDRESS);
	check_unchanged();
	check_equal(covh(CREATE_TVM_VCPU, id, 1, page).error, 0);
	check_equal(tsm_stats.vcpus, 2);
}

static void finalize_is_checked(void)
{
	u64 id = build_tvm();
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(hostile); i++)
		check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, 0,
				 hostile[i]).error, PARAM);
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, 0, HOST_BASE + 8).error,
		    PARAM);
	check_equal(covh(FINALIZE_TVM, 0, GUEST_BASE, 0, 0).error, PARAM);
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, 0, HOST_BASE).error, 0);
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, 0, 0).error, PARAM);
}

const struct test call_tests[] = {
	{ "call: unknown functions", unknown_functions_are_refused },
	{ "call: get_tsm_info", tsm_info },
	{ "call: convert and reclaim", convert_and_reclaim_check_all_first },
	{ "call: M-mode refuses", refusals_of_m_mode_are_passed_on },
	{ "call: reclaimed pages are zero", reclaimed_pages_are_zero },
	{ "call: create_tvm", create_refuses_bad_pages },
	{ "call: add_tvm_memory_region", regions_are_checked },
	{ "call: add_tvm_measured_pages", measured_pages_are_checked },
	{ "call: out of page tables", tables_can_run_out },
	{ "call: create_tvm_vcpu", vcpus_are_checked },
	{ "call: finalize_tvm", finalize_is_checked },
	{ NULL, NULL },
};
