// SPDX-License-Identifier: BSD-2-Clause
/* From create to destroy, and what is left afterwards. */
#include "tests/test.h"

#define PARAM	COVE_ERR_INVALID_PARAM

static void no_calls_on_dead_ids(u64 id)
{
	u64 page = AT_DATA + 8 * PAGE_SIZE;

	check_equal(covh(RUN_TVM_VCPU, id, 0).error, PARAM);
	check_equal(covh(DESTROY_TVM, id).error, PARAM);
	check_equal(covh(FINALIZE_TVM, id, 0, 0, 0).error, PARAM);
	check_equal(covh(CREATE_TVM_VCPU, id, 1, page).error, PARAM);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0, PAGE_SIZE).error,
		    PARAM);
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id, page, 1).error, PARAM);
	check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, page, 0, 1,
			 GUEST_BASE).error, PARAM);
}

static void destroy_returns_all_pages(void)
{
	u64 id = start_tvm();

	check_equal(tsm_stats.tvms, 1);
	check_equal(tsm_stats.vcpus, 1);
	check_equal(tsm_stats.pages[PAGE_TVM_STATE], 5);
	check_equal(tsm_stats.pages[PAGE_TVM_PT], 4);
	check_equal(tsm_stats.pages[PAGE_TVM_VCPU], 1);
	check_equal(tsm_stats.pages[PAGE_TVM_DATA], 2);
	check_equal(covh(RECLAIM_PAGES, AT_DATA, 1).error,
		    COVE_ERR_INVALID_ADDRESS);
	check_equal(covh(DESTROY_TVM, id).error, 0);
	check_equal(tsm_stats.tvms, 0);
	check_equal(tsm_stats.vcpus, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, BUILD_PAGES).error, 0);
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES);
	no_calls_on_dead_ids(id);
}

static void unfinished_tvm_can_be_destroyed(void)
{
	u64 id = build_tvm();

	fake_info.nacl[0] = NACL_BASE;
	check_equal(covh(DESTROY_TVM, id).error, 0);
	check_equal(tsm_stats.pages[PAGE_UNASSIGNED], BUILD_PAGES);
	no_calls_on_dead_ids(id);
}

static void ids_are_never_used_again(void)
{
	u64 old = 0, id;
	unsigned int i;

	give_pages(POOL_BASE, BUILD_PAGES);
	for (i = 0; i < 300; i++) {
		id = create_tvm();
		check_true(id > old && id < 1UL << 32);
		if (old)
			check_equal(covh(DESTROY_TVM, old).error, PARAM);
		check_equal(covh(DESTROY_TVM, id).error, 0);
		old = id;
	}
	check_equal(covh(DESTROY_TVM, 0).error, PARAM);
	check_equal(covh(DESTROY_TVM, ~0UL).error, PARAM);
	check_equal(covh(DESTROY_TVM, id + (1UL << 32)).error, PARAM);
}

static void slots_run_out(void)
{
	u64 *params = phys_to_virt(HOST_BASE);
	u64 state = POOL_BASE + PAGE_OWNERS * 4 * PAGE_SIZE;
	u64 ids[PAGE_OWNERS], i;

	give_pages(POOL_BASE, POOL_PAGES);
	for (i = 0; i < PAGE_OWNERS; i++) {
		params[0] = POOL_BASE + i * 4 * PAGE_SIZE;
		params[1] = state + i * PAGE_SIZE;
		ids[i] = covh(CREATE_TVM, HOST_BASE, 16).value;
	}
	check_equal(tsm_stats.tvms, PAGE_OWNERS);
	params[0] = POOL_BASE + PAGE_OWNERS * 8 * PAGE_SIZE;
	params[1] = params[0] + 4 * PAGE_SIZE;
	check_equal(covh(CREATE_TVM, HOST_BASE, 16).error, COVE_ERR_FAILED);
	check_equal(page_state(params[0]), PAGE_UNASSIGNED);
	check_equal(covh(DESTROY_TVM, ids[5]).error, 0);
	check_equal(covh(CREATE_TVM, HOST_BASE, 16).error, 0);
}

static void building_ends_with_finalize(void)
{
	u64 id = start_tvm();
	u64 page = AT_DATA + 8 * PAGE_SIZE;

	check_equal(covh(CREATE_TVM_VCPU, id, 1, page).error, PARAM);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, 0, PAGE_SIZE).error,
		    PARAM);
	check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, page, 0, 1,
			 GUEST_BASE + 4 * PAGE_SIZE).error, PARAM);
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id, page, 1).error, 0);
}

static void finalize_needs_the_boot_vcpu(void)
{
	u64 id;

	give_pages(POOL_BASE, BUILD_PAGES);
	id = create_tvm();
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, 0, 0).error,
		    COVE_ERR_FAILED);
	check_equal(covh(CREATE_TVM_VCPU, id, 0, AT_VCPU).error, 0);
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, 0, 0).error, 0);
}

/* A TVM's pages hold nothing of whoever had them before. */
static void given_pages_are_scrubbed(void)
{
	struct tvm *tvm;
	u64 *table, id, i, sum = 0;

	give_pages(POOL_BASE, BUILD_PAGES);
	memset(phys_to_virt(POOL_BASE), 0xff, BUILD_PAGES * PAGE_SIZE);
	id = create_tvm();
	covh(ADD_TVM_PAGE_TABLE_PAGES, id, AT_TABLES, 1);
	table = phys_to_virt(AT_DIRECTORY);
	for (i = 0; i < 4 * PAGE_SIZE / 8; i++)
		sum |= table[i];
	table = phys_to_virt(AT_TABLES);
	for (i = 0; i < PAGE_SIZE / 8; i++)
		sum |= table[i];
	check_equal(sum, 0);
	check_equal(tvm_lock(id, &tvm), 0);
	check_equal(tvm->region_count | tvm->vcpu_count | tvm->running, 0);
	tvm_unlock(tvm);
}

const struct test life_tests[] = {
	{ "life: destroy returns all pages", destroy_returns_all_pages },
	{ "life: destroy before finalize", unfinished_tvm_can_be_destroyed },
	{ "life: ids are never used again", ids_are_never_used_again },
	{ "life: slots run out", slots_run_out },
	{ "life: finalize ends building", building_ends_with_finalize },
	{ "life: finalize needs a vCPU", finalize_needs_the_boot_vcpu },
	{ "life: given pages are scrubbed", given_pages_are_scrubbed },
	{ NULL, NULL },
};
