// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random calls on two harts, cut short at random, with arguments that are
 * often nearly right. Whatever they answer, no page may get lost, no address
 * outside of RAM be touched, and all must be undone in the end.
 */
#include "arch/csr.h"
#include "tests/test.h"

#define CALLS		60000
#define IDS		8

static u64 seed;
static u64 ids[IDS];

static u64 draw(u64 limit)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % limit;
}

static void any_guest(struct guest_context *guest)
{
	static const u64 causes[] = {
		CAUSE_INTERRUPT | 5, CAUSE_INTERRUPT | 9, CAUSE_ECALL_VS,
		CAUSE_ECALL_VS, CAUSE_ECALL_VS, CAUSE_LOAD_GUEST_PAGE,
		CAUSE_STORE_GUEST_PAGE, CAUSE_VIRTUAL, CAUSE_ILLEGAL, 5,
	};
	static const u64 eids[] = {
		COVE_EID_BASE, COVE_EID_DBCN, COVE_EID_LEGACY_PUTCHAR,
		COVE_EID_SRST, COVE_EID_COVG, COVE_EID_COVG, COVE_EID_COVG,
		COVE_EID_HSM, COVE_EID_IPI, COVE_EID_RFENCE, COVE_EID_TIME,
		COVE_EID_COVH,
	};

	guest->scause = causes[draw(ARRAY_SIZE(causes))];
	guest->htval = (GUEST_BASE + draw(1UL << 22)) >> 2;
	guest->stval = draw(2) ? 0x10500073 : draw(1UL << 20);
	guest->gpr[10] = draw(4) ? GUEST_BASE + draw(16) * PAGE_SIZE :
				   draw(~0UL);
	guest->gpr[11] = draw(2) ? draw(100) : draw(6) * PAGE_SIZE;
	guest->gpr[12] = draw(8);
	guest->gpr[16] = draw(12);
	guest->gpr[17] = eids[draw(ARRAY_SIZE(eids))];
	/* The end of the guest is rare, or none would get far. */
	if (guest->gpr[17] == COVE_EID_SRST && draw(8))
		guest->gpr[17] = COVE_EID_BASE;
	if (guest->scause == 5 && draw(8))
		guest->scause = CAUSE_INTERRUPT | 1;
	fake.instruction = draw(2) ? 0x0007bc83 : draw(1UL << 32);
}

static u64 any_address(void)
{
	switch (draw(8)) {
	case 0:
		return draw(~0UL) << draw(2) * 12;
	case 1:
		return HOST_BASE + draw(64) * PAGE_SIZE;
	case 2:
		return TSM_BASE + draw(TSM_SIZE);
	case 3:
		return GUEST_BASE + draw(16) * PAGE_SIZE;
	default:
		return POOL_BASE + draw(POOL_PAGES + 2) * PAGE_SIZE;
	}
}

static u64 any_count(void)
{
	return draw(16) ? draw(80) : ~0UL >> draw(64);
}

static u64 any_id(void)
{
	return draw(16) ? ids[draw(IDS)] : draw(1UL << 32);
}

/* What create_tvm reads may name anything too. */
static void create(void)
{
	u64 *params = phys_to_virt(HOST_BASE);
	struct answer answer;

	params[0] = POOL_BASE + draw(POOL_PAGES / 4) * 4 * PAGE_SIZE;
	params[1] = any_address();
	answer = covh(CREATE_TVM, HOST_BASE, 16);
	if (!answer.error && !answer.interrupted)
		ids[draw(IDS)] = answer.value;
}

static void any_range_call(u64 id)
{
	static const u64 calls[] = {
		COVE_COVH_TVM_INVALIDATE_PAGES, COVE_COVH_TVM_VALIDATE_PAGES,
		COVE_COVH_TVM_REMOVE_PAGES, COVE_COVH_TVM_REMOVE_PAGES,
		COVE_COVH_PROMOTE_PAGE, COVE_COVH_DEMOTE_PAGE,
	};
	u64 call = draw(ARRAY_SIZE(calls));

	if (call >= 4)
		teecall(calls[call], id, GUEST_BASE, draw(3), 0, 0, 0);
	else
		teecall(calls[call], id, GUEST_BASE + draw(16) * PAGE_SIZE,
			draw(4) * PAGE_SIZE, 0, 0, 0);
}

/* What a host does with a TVM that runs */
static void any_late_call(u64 id)
{
	u64 gpa = GUEST_BASE + draw(16) * PAGE_SIZE;

	test_nacl()->gpr[10] = draw(4) ? 0 : draw(~0UL);
	switch (draw(6)) {
	case 0:
		covh(ADD_TVM_ZERO_PAGES, id, any_address(), draw(16) ? 0 : 1,
		     draw(4), gpa);
		break;
	case 1:
		covh(ADD_TVM_SHARED_PAGES, id, any_address(), 0, draw(4), gpa);
		break;
	case 2:
		covh(TVM_FENCE, id);
		break;
	case 3:
		covh(RUN_TVM_VCPU, id, draw(2));
		break;
	default:
		any_range_call(id);
	}
}

static void any_call(void)
{
	u64 id = any_id();

	switch (draw(20)) {
	case 0:
	case 1:
		covh(CONVERT_PAGES, any_address(), any_count());
		break;
	case 2:
		/* Calls that end something are rare, or nothing would grow. */
		if (!draw(8))
			covh(RECLAIM_PAGES, any_address(), any_count());
		break;
	case 3:
		covh(GLOBAL_FENCE, 0);
		covh(LOCAL_FENCE, 0);
		break;
	case 4:
		covh(LOCAL_FENCE, 0);
		break;
	case 5:
		create();
		break;
	case 6:
		if (!draw(8))
			covh(FINALIZE_TVM, id, GUEST_BASE, 0,
			     draw(2) * HOST_BASE);
		break;
	case 7:
		covh(ADD_TVM_MEMORY_REGION, id,
		     draw(2) ? GUEST_BASE : any_address(),
		     any_count() * PAGE_SIZE);
		break;
	case 8:
		covh(ADD_TVM_PAGE_TABLE_PAGES, id, any_address(), draw(6));
		break;
	case 9:
		covh(ADD_TVM_MEASURED_PAGES, id,
		     draw(2) ? HOST_BASE : any_address(), any_address(), 0,
		     draw(4), GUEST_BASE + draw(16) * PAGE_SIZE);
		break;
	case 10:
		covh(CREATE_TVM_VCPU, id, draw(3), any_address());
		break;
	case 11:
		if (!draw(8))
			covh(DESTROY_TVM, id);
		break;
	case 12:
	case 13:
		covh(RUN_TVM_VCPU, id, draw(2));
		break;
	default:
		any_late_call(id);
	}
}

static void no_page_is_lost(void)
{
	u64 counted[PAGE_STATES] = { 0 };
	u64 i;

	for (i = 0; i < POOL_PAGES; i++)
		counted[page_state(POOL_BASE + i * PAGE_SIZE)]++;
	check_equal(memcmp(counted, tsm_stats.pages, sizeof(counted)), 0);
}

static void fence_all(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		fake.hart = i & 1;
		covh(LOCAL_FENCE, 0);
		if (i == 1)
			check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	}
}

/* TVMs whose ids were forgotten are found by their numbers. */
static void destroy_all(void)
{
	u64 generation, slot;

	for (slot = 0; slot < PAGE_OWNERS && tsm_stats.tvms; slot++)
		for (generation = 1; generation < 2000; generation++)
			covh(DESTROY_TVM, generation << 8 | slot);
	check_equal(tsm_stats.tvms, 0);
	check_equal(tsm_stats.vcpus, 0);
}

static void all_can_be_undone(void)
{
	u64 i;

	fake.interrupt_after = 0;
	fake.stopped = 0;
	fence_all();
	destroy_all();
	for (i = 0; i < POOL_PAGES; i++)
		if (page_state(POOL_BASE + i * PAGE_SIZE) == PAGE_UNASSIGNED)
			check_equal(covh(RECLAIM_PAGES, POOL_BASE +
					 i * PAGE_SIZE, 1).error, 0);
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES);
}

static void random_calls_lose_nothing(void)
{
	u64 i;

	seed = 2;
	memset(ids, 0, sizeof(ids));
	fake.guest = any_guest;
	fake_info.nacl[0] = NACL_BASE;
	fake_info.nacl[1] = NACL_BASE + COVE_NACL_SHMEM_SIZE;
	for (i = 0; i < CALLS; i++) {
		fake.hart = draw(2);
		/* The other hart stops now and then; one that calls runs. */
		fake.stopped = draw(4) ? 0 : 2 >> fake.hart;
		fake.interrupt_after = draw(3);
		fake.release_error = draw(8) ? 0 : COVE_ERR_OUT_OF_RANGES;
		fake.assign_error = draw(8) ? 0 : COVE_ERR_OUT_OF_RANGES;
		if (draw(3))
			any_call();
		else
			teecall_again();
		if (i % 512 == 0)
			no_page_is_lost();
	}
	fake.release_error = 0;
	no_page_is_lost();
	all_can_be_undone();
}

const struct test random_tests[] = {
	{ "random calls lose nothing", random_calls_lose_nothing },
	{ NULL, NULL },
};
