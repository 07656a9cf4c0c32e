// SPDX-License-Identifier: BSD-2-Clause
/* COVI: each call, each of its errors, and the order in which they go. */
#include "tests/aia.h"

#define INVALID_PARAM	COVE_ERR_INVALID_PARAM
#define INVALID_ADDRESS	COVE_ERR_INVALID_ADDRESS

static u64 capabilities(void)
{
	check_equal(covh(GET_TSM_INFO, HOST_BASE, 48).error, 0);
	return *(u64 *)phys_to_virt(HOST_BASE + 16);
}

static void test_not_supported(void)
{
	u64 fid;

	for (fid = 0; fid <= COVE_COVI_REBIND_AIA_IMSIC_END + 1; fid++)
		check_equal(teecall_of(COVE_EID_COVI, fid, 0, 0, 0).error,
			    COVE_ERR_NOT_SUPPORTED);
	check_equal(capabilities() & COVE_TSM_CAP_AIA, 0);
	fake_boot_aia(3);
	check_equal(capabilities() & COVE_TSM_CAP_AIA, COVE_TSM_CAP_AIA);
	fid = COVE_COVI_REBIND_AIA_IMSIC_END + 1;
	check_equal(teecall_of(COVE_EID_COVI, fid, 0, 0, 0).error,
		    COVE_ERR_NOT_SUPPORTED);
}

static void check_params(u64 id, struct aia_params params)
{
	check_equal(init_aia(id, &params), INVALID_PARAM);
}

#define BAD(id, field, value) do {					\
	struct aia_params params_ = good_params;			\
	params_.field = value;						\
	check_params(id, params_);					\
} while (0)

static void test_init(void)
{
	u64 id;

	fake_boot_aia(3);
	id = build_tvm();
	BAD(id, imsic_base, GUEST_IMSIC(0) + 1);
	/* The bits that choose a vCPU's are to be free. */
	BAD(id, imsic_base, GUEST_IMSIC(1));
	BAD(id, imsic_base, GSTAGE_END);
	BAD(id, group_index_shift, 23);
	BAD(id, group_index_shift, 56);
	BAD(id, group_index_bits, 17);
	BAD(id, hart_index_bits, 17);
	BAD(id, guest_index_bits, 7);
	BAD(id, guests_per_hart, 1);
	check_params(id, (struct aia_params){
		.imsic_base = 0, .group_index_bits = 1,
		.group_index_shift = 24, .hart_index_bits = 13,
	});
	check_equal(covi(INIT_TVM_AIA, id, HOST_BASE, 27).error, INVALID_PARAM);
	check_equal(covi(INIT_TVM_AIA, id, HOST_BASE + 4, 28).error,
		    INVALID_ADDRESS);
	check_equal(covi(INIT_TVM_AIA, id, TSM_BASE, 28).error,
		    INVALID_ADDRESS);
	check_equal(covi(INIT_TVM_AIA, id, POOL_BASE, 28).error,
		    INVALID_ADDRESS);
	check_equal(init_aia(id + 1, &good_params), INVALID_PARAM);
	check_equal(init_aia(id, &good_params), 0);
	check_equal(init_aia(id, &good_params), INVALID_PARAM);
}

static void test_init_state(void)
{
	u64 id;

	fake_boot_aia(3);
	id = start_tvm();
	check_equal(init_aia(id, &good_params), INVALID_PARAM);
	/* A TVM without AIA has none of the rest. */
	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, INVALID_PARAM);
	check_equal(covi(INJECT_TVM_CPU, id, 0, 33).error, INVALID_PARAM);
}

#define PLACE(id, vcpu, gpa)						\
	covi(SET_TVM_AIA_CPU_IMSIC_ADDR, id, vcpu, gpa).error

static void test_place(void)
{
	u64 id, second = AT_DATA + 8 * PAGE_SIZE;

	fake_boot_aia(3);
	id = build_tvm();
	check_equal(PLACE(id, 0, GUEST_IMSIC(0)), INVALID_PARAM);
	check_equal(init_aia(id, &good_params), 0);
	check_equal(covh(CREATE_TVM_VCPU, id, 1, second).error, 0);
	check_equal(PLACE(id + 1, 0, GUEST_IMSIC(0)), INVALID_PARAM);
	check_equal(PLACE(id, 2, GUEST_IMSIC(0)), INVALID_PARAM);
	check_equal(PLACE(id, 0, GUEST_IMSIC(0) + 4), INVALID_ADDRESS);
	check_equal(PLACE(id, 0, GUEST_IMSIC(2)), INVALID_ADDRESS);
	check_equal(PLACE(id, 0, GUEST_IMSIC(1)), 0);
	check_equal(PLACE(id, 0, GUEST_IMSIC(0)), INVALID_PARAM);
	check_equal(PLACE(id, 1, GUEST_IMSIC(1)), INVALID_ADDRESS);
	/* All vCPUs must have one. */
	check_equal(covh(FINALIZE_TVM, id, 0, 0, 0).error, COVE_ERR_FAILED);
	check_equal(PLACE(id, 1, GUEST_IMSIC(0)), 0);
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, GUEST_IMSIC(0),
			 PAGE_SIZE).error, INVALID_ADDRESS);
	check_equal(covh(FINALIZE_TVM, id, 0, 0, 0).error, 0);
	check_equal(PLACE(id, 1, GUEST_IMSIC(0)), INVALID_PARAM);
}

static void test_convert(void)
{
	u64 bad[] = { FILE_PAGE(0, 0), FILE_PAGE(0, 4), FILE_PAGE(2, 1),
		      FILE_PAGE(0, 1) + 8, POOL_BASE, 0 };
	unsigned int i;

	fake_boot_aia(3);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		check_equal(covi(CONVERT_AIA_IMSIC, bad[i]).error,
			    INVALID_ADDRESS);
		check_equal(covi(RECLAIM_TVM_AIA_IMSIC, bad[i]).error,
			    INVALID_ADDRESS);
	}
	check_equal(fake.assigns, 0);
	fake.assign_error = COVE_ERR_OUT_OF_RANGES;
	check_equal(covi(CONVERT_AIA_IMSIC, FILE_PAGE(0, 1)).error,
		    COVE_ERR_OUT_OF_RANGES);
	fake.assign_error = 0;
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(0, 1)).error,
		    INVALID_ADDRESS);
	check_equal(covi(CONVERT_AIA_IMSIC, FILE_PAGE(0, 1)).error, 0);
	check_equal(fake.moved_base, FILE_PAGE(0, 1));
	check_equal(fake.moved_pages, 1);
	check_equal(covi(CONVERT_AIA_IMSIC, FILE_PAGE(0, 1)).error,
		    INVALID_ADDRESS);
	/* Not before all harts have fenced. */
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(0, 1)).error,
		    INVALID_ADDRESS);
}

static void test_reclaim(void)
{
	u64 id = start_aia_tvm(), page = FILE_PAGE(0, 1);

	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, 0);
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, page).error, INVALID_PARAM);
	check_equal(covh(DESTROY_TVM, id).error, 0);
	fake.release_error = COVE_ERR_OUT_OF_RANGES;
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, page).error,
		    COVE_ERR_OUT_OF_RANGES);
	fake.release_error = 0;
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, page).error, 0);
	check_equal(fake.moved_base, page);
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, page).error, INVALID_ADDRESS);
	check_equal(covi(CONVERT_AIA_IMSIC, page).error, 0);
}

static void test_bind(void)
{
	u64 id = start_aia_tvm();
	/* None, the hart's own, two, not converted, not there */
	u64 bad[] = { 0, 1, 6, 4, 1UL << 4, 1UL << 63 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		check_equal(covi(BIND_AIA_IMSIC, id, 0, bad[i]).error,
			    INVALID_PARAM);
	check_equal(covi(BIND_AIA_IMSIC, id + 1, 0, 2).error, INVALID_PARAM);
	check_equal(covi(BIND_AIA_IMSIC, id, 1, 2).error, INVALID_PARAM);
	check_equal(covh(RUN_TVM_VCPU, id, 0).error, INVALID_PARAM);
	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, 0);
	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, INVALID_PARAM);
	/* Elsewhere it may not run. */
	fake.hart = 1;
	check_equal(covh(RUN_TVM_VCPU, id, 0).error, INVALID_PARAM);
	fake.hart = 0;
	tvm = id;
	check_equal(run(interrupt).error, 0);
}

/* A call is refused on the other hart, and right on this one */
#define only_on(hart_, call) do {					\
	fake.hart = !(hart_);						\
	check_equal((call).error, INVALID_PARAM);			\
	fake.hart = hart_;						\
	check_equal((call).error, 0);					\
} while (0)

static void test_unbind(void)
{
	u64 id = start_aia_tvm();

	check_equal(covi(UNBIND_AIA_IMSIC_BEGIN, id, 0).error, INVALID_PARAM);
	check_equal(covi(UNBIND_AIA_IMSIC_END, id, 0).error, INVALID_PARAM);
	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, 0);
	check_equal(covi(UNBIND_AIA_IMSIC_END, id, 0).error, INVALID_PARAM);
	only_on(0, covi(UNBIND_AIA_IMSIC_BEGIN, id, 0));
	check_equal(covi(UNBIND_AIA_IMSIC_BEGIN, id, 0).error, INVALID_PARAM);
	check_equal(covh(RUN_TVM_VCPU, id, 0).error, INVALID_PARAM);
	/* A fence has to lie between the two. */
	check_equal(covi(UNBIND_AIA_IMSIC_END, id, 0).error, INVALID_PARAM);
	check_equal(covh(TVM_FENCE, id).error, 0);
	only_on(0, covi(UNBIND_AIA_IMSIC_END, id, 0));
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(0, 1)).error, 0);
	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, INVALID_PARAM);
}

static void test_rebind(void)
{
	u64 id = start_aia_tvm();

	fake.hart = 1;
	check_equal(covi(REBIND_AIA_IMSIC_BEGIN, id, 0, 2).error,
		    INVALID_PARAM);
	fake.hart = 0;
	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, 0);
	check_equal(covi(REBIND_AIA_IMSIC_CLONE, id, 0).error, INVALID_PARAM);
	fake.hart = 1;
	check_equal(covi(REBIND_AIA_IMSIC_BEGIN, id, 0, 4).error,
		    INVALID_PARAM);
	only_on(1, covi(REBIND_AIA_IMSIC_BEGIN, id, 0, 2));
	check_equal(covh(RUN_TVM_VCPU, id, 0).error, INVALID_PARAM);
	fake.hart = 0;
	check_equal(covi(REBIND_AIA_IMSIC_CLONE, id, 0).error, INVALID_PARAM);
	check_equal(covh(TVM_FENCE, id).error, 0);
	check_equal(covi(UNBIND_AIA_IMSIC_END, id, 0).error, INVALID_PARAM);
	fake.hart = 1;
	check_equal(covi(REBIND_AIA_IMSIC_END, id, 0).error, INVALID_PARAM);
	only_on(0, covi(REBIND_AIA_IMSIC_CLONE, id, 0));
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(0, 1)).error,
		    INVALID_PARAM);
	only_on(1, covi(REBIND_AIA_IMSIC_END, id, 0));
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(0, 1)).error, 0);
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(1, 1)).error,
		    INVALID_PARAM);
	tvm = id;
	check_equal(run(interrupt).error, 0);
}

/* A TVM that goes in the middle of a rebind leaves both files behind. */
static void test_destroy(void)
{
	u64 id = start_aia_tvm();

	check_equal(covi(BIND_AIA_IMSIC, id, 0, 2).error, 0);
	fake.hart = 1;
	check_equal(covi(REBIND_AIA_IMSIC_BEGIN, id, 0, 2).error, 0);
	check_equal(covh(DESTROY_TVM, id).error, 0);
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(0, 1)).error, 0);
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, FILE_PAGE(1, 1)).error, 0);
}

/* Each call but those of fences gives up an interrupted one. */
static void test_drops_open_call(void)
{
	u64 at = POOL_BASE + BUILD_PAGES * PAGE_SIZE;

	tvm = start_aia_tvm();
	fake.interrupt_after = 1;
	check_equal(covh(CONVERT_PAGES, at, 256).interrupted, true);
	check_equal(covi(RECLAIM_TVM_AIA_IMSIC, 0).error, INVALID_ADDRESS);
	check_equal(covh(CONVERT_PAGES, at, 1).error, 0);
}

const struct test covi_tests[] = {
	{ "covi: not supported", test_not_supported },
	{ "covi: init", test_init },
	{ "covi: init in another state", test_init_state },
	{ "covi: place", test_place },
	{ "covi: convert", test_convert },
	{ "covi: reclaim", test_reclaim },
	{ "covi: bind", test_bind },
	{ "covi: unbind", test_unbind },
	{ "covi: rebind", test_rebind },
	{ "covi: destroy", test_destroy },
	{ "covi: drops an open call", test_drops_open_call },
	{ NULL, NULL },
};
