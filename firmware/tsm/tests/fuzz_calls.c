// SPDX-License-Identifier: BSD-2-Clause
/*
 * libFuzzer on the calls of the host: functions and arguments are the input's,
 * from a TVM that runs on. Whatever is answered, the TSM touches nothing that
 * is not its own or plain host RAM, a call that is refused has moved no page,
 * and in the end all can be undone.
 */
#include "arch/csr.h"
#include "tests/fuzz.h"

#define IDS		16

static u64 ids[IDS];
static u32 id_count;

static u64 any_argument(struct fuzz_input *input)
{
	unsigned int what = fuzz_byte(input, 16);
	u64 number = fuzz_byte(input, 256);

	switch (what) {
	case 0:
		return number;
	case 1:
		return HOST_BASE + number * PAGE_SIZE;
	case 2:
	case 3:
	case 4:
		return POOL_BASE + number * PAGE_SIZE;
	case 5:
	case 6:
		return GUEST_BASE + number * PAGE_SIZE;
	case 7:
		return number * PAGE_SIZE;
	case 8:
		return (number & 1 ? TSM_BASE : FIRMWARE_BASE) + number * 64;
	case 9:
		return ~(number * PAGE_SIZE) + 1;
	case 10:
		return fuzz_word(input);
	case 11:
		return POOL_BASE + number * leaf_size(1);
	case 12:
		return number & 3;
	default:
		return ids[number % IDS];
	}
}

static bool is_error(s64 error)
{
	switch (error) {
	case COVE_SUCCESS:
	case COVE_ERR_FAILED:
	case COVE_ERR_NOT_SUPPORTED:
	case COVE_ERR_INVALID_PARAM:
	case COVE_ERR_INVALID_ADDRESS:
	case COVE_ERR_ALREADY_STARTED:
	case COVE_ERR_BUSY:
	case COVE_ERR_OUT_OF_PTPAGES:
	case COVE_ERR_OUT_OF_RANGES:
		return true;
	default:
		return false;
	}
}

static void check_answer(struct answer answer, const u64 *pages, bool alone)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < PAGE_STATES; i++)
		sum += tsm_stats.pages[i];
	check_equal(sum, POOL_PAGES);
	if (answer.interrupted)
		return;
	check_true(is_error(answer.error));
	/* An open call that is given up meanwhile may move pages, too. */
	if (answer.error && alone)
		check_equal(memcmp(pages, tsm_stats.pages,
				   sizeof(tsm_stats.pages)), 0);
}

static void note_id(u64 function, struct answer answer)
{
	if (function != COVE_COVH_CREATE_TVM || answer.error ||
	    answer.interrupted)
		return;
	/* All of them are destroyed in the end. */
	check_true(id_count < PAGE_OWNERS);
	ids[id_count++ % IDS] = answer.value;
}

static u64 any_function(struct fuzz_input *input)
{
	unsigned int number = fuzz_byte(input, 24);

	if (number == 22)
		return COVE_COVH_PROMOTE_PAGE;
	return number == 23 ? COVE_COVH_DEMOTE_PAGE : number;
}

static void create(struct fuzz_input *input)
{
	u64 *params = phys_to_virt(HOST_BASE);

	params[0] = any_argument(input);
	params[1] = any_argument(input);
}

static void any_call(struct fuzz_input *input)
{
	u64 function = any_function(input), args[6], pages[PAGE_STATES];
	unsigned int mode = fuzz_byte(input, 16);
	struct answer answer;
	unsigned int i;
	bool alone;

	fake.hart = mode & 1;
	fake.interrupt_after = mode >> 1 & 1 ? 1 + (mode >> 2) : 0;
	for (i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = any_argument(input);
	/* Its slots are never used up: each input makes as many as it may. */
	if (function == COVE_COVH_CREATE_TVM && id_count == IDS)
		return;
	if (function == COVE_COVH_CREATE_TVM && mode & 8) {
		create(input);
		args[0] = HOST_BASE;
		args[1] = 16;
	}
	alone = !long_to_settle();
	memcpy(pages, tsm_stats.pages, sizeof(pages));
	answer = teecall(function, args[0], args[1], args[2], args[3], args[4],
			 args[5]);
	note_id(function, answer);
	while (answer.interrupted && mode >> 3)
		answer = teecall_again();
	check_answer(answer, pages, alone);
}

static void end_open_calls(void)
{
	fake.interrupt_after = 0;
	for (fake.hart = 0; fake.hart < fake_info.hart_count; fake.hart++)
		other_call();
}

/* Any fence that is open ends, and then one that covers all. */
static void fence_all(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		fake.hart = 0;
		if (i)
			check_equal(covh(GLOBAL_FENCE, 0).error, 0);
		for (; fake.hart < fake_info.hart_count; fake.hart++)
			covh(LOCAL_FENCE, 0);
	}
	fake.hart = 0;
}

static void undo_all(void)
{
	u64 page;
	u32 i;

	end_open_calls();
	fence_all();
	for (i = 0; i < id_count; i++)
		covh(DESTROY_TVM, ids[i]);
	check_equal(tsm_stats.tvms, 0);
	check_equal(tsm_stats.vcpus, 0);
	for (page = POOL_BASE; page < POOL_BASE + POOL_SIZE; page += PAGE_SIZE)
		if (page_state(page) == PAGE_UNASSIGNED)
			check_equal(covh(RECLAIM_PAGES, page, 1).error, 0);
	check_equal(tsm_stats.pages[PAGE_HOST], POOL_PAGES);
}

/* What the guest's own calls do is another matter: the host's timer ends it. */
static void guest_runs(struct guest_context *guest)
{
	guest->scause = CAUSE_INTERRUPT | 5;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input input = { data, size };

	fake_boot();
	fake.guest = guest_runs;
	memset(ids, 0, sizeof(ids));
	id_count = 0;
	ids[id_count++] = start_tvm();
	while (input.left)
		any_call(&input);
	undo_all();
	return 0;
}
