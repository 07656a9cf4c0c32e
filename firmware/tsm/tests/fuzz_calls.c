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
#define ARGUMENTS	6U

static u64 ids[IDS];
static u32 id_count;

/*
 * What each function's arguments are: a TVM, a page of the pool, one of the
 * host, an address of the guest, a size, a count, a page type or a vCPU.
 */
static const char *const shapes[] = {
	[COVE_COVH_GET_TSM_INFO] = "hc",
	[COVE_COVH_CONVERT_PAGES] = "pc",
	[COVE_COVH_RECLAIM_PAGES] = "pc",
	[COVE_COVH_CREATE_TVM] = "hc",
	[COVE_COVH_FINALIZE_TVM] = "iggh",
	[COVE_COVH_PROMOTE_TO_TVM] = "hhhh",
	[COVE_COVH_DESTROY_TVM] = "i",
	[COVE_COVH_ADD_TVM_MEMORY_REGION] = "igs",
	[COVE_COVH_ADD_TVM_PAGE_TABLE_PAGES] = "ipc",
	[COVE_COVH_ADD_TVM_MEASURED_PAGES] = "ihptcg",
	[COVE_COVH_ADD_TVM_ZERO_PAGES] = "iptcg",
	[COVE_COVH_ADD_TVM_SHARED_PAGES] = "ihtcg",
	[COVE_COVH_CREATE_TVM_VCPU] = "itp",
	[COVE_COVH_RUN_TVM_VCPU] = "it",
	[COVE_COVH_TVM_FENCE] = "i",
	[COVE_COVH_TVM_INVALIDATE_PAGES] = "igs",
	[COVE_COVH_TVM_VALIDATE_PAGES] = "igs",
	[COVE_COVH_TVM_REMOVE_PAGES] = "igs",
};

static u64 of_kind(struct fuzz_input *input, char kind)
{
	u64 number = fuzz_byte(input, 128);

	switch (kind) {
	case 'i':
		return ids[number % (id_count ? id_count : 1)];
	case 'p':
		return POOL_BASE + number * PAGE_SIZE;
	case 'h':
		return HOST_BASE + number * PAGE_SIZE;
	case 'g':
		return GUEST_BASE + number % 16 * PAGE_SIZE;
	case 's':
		return number % 8 * PAGE_SIZE;
	case 'c':
		return number % 20;
	case 't':
		/* Most pages are of 4 KiB, most vCPUs the first. */
		return number < 100 ? 0 : number & 3;
	default:
		return number;
	}
}

/* Anything: addresses with an owner of their own, ends, negative numbers */
static u64 any_argument(struct fuzz_input *input)
{
	unsigned int what = fuzz_byte(input, 8);
	u64 number = fuzz_byte(input, 256);

	switch (what) {
	case 0:
		return (number & 1 ? TSM_BASE : FIRMWARE_BASE) + number * 64;
	case 1:
		return -(number * PAGE_SIZE);
	case 2:
		return POOL_BASE + (POOL_PAGES - number) * PAGE_SIZE;
	case 3:
		return POOL_BASE + number * leaf_size(1);
	case 4:
		return RAM_BASE + RAM_SIZE - number % 8 * 16;
	case 5:
		return HOST_BASE + number * 64;
	case 6:
		return number;
	default:
		return fuzz_word(input);
	}
}

/* Rightly shaped, with one of them anything now and then */
static void fill_arguments(struct fuzz_input *input, u64 function, u64 *args)
{
	const char *shape = function < ARRAY_SIZE(shapes) && shapes[function] ?
			    shapes[function] : "igt";
	unsigned int odd = fuzz_byte(input, 12);
	unsigned int i;

	for (i = 0; i < ARGUMENTS; i++) {
		args[i] = *shape ? of_kind(input, *shape) : 0;
		shape += *shape != 0;
		if (i == odd)
			args[i] = any_argument(input);
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

	/* The root lies on a multiple of its size. */
	params[0] = POOL_BASE + fuzz_byte(input, 32) * 4 * PAGE_SIZE;
	params[1] = fuzz_byte(input, 4) ? of_kind(input, 'p') :
					  any_argument(input);
}

static void any_call(struct fuzz_input *input)
{
	u64 function = any_function(input), args[ARGUMENTS], pages[PAGE_STATES];
	unsigned int mode = fuzz_byte(input, 16);
	struct answer answer;
	bool alone;

	fake.hart = mode & 1;
	fake.interrupt_after = mode >> 1 & 1 ? 1 + (mode >> 2) : 0;
	fill_arguments(input, function, args);
	/* Its slots are never used up: each input makes as many as it may. */
	if (function == COVE_COVH_CREATE_TVM && id_count == IDS)
		return;
	if (function == COVE_COVH_CREATE_TVM && mode) {
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
	struct fuzz_input input = fuzz_begin(data, size);

	fake_boot();
	fake.guest = guest_runs;
	memset(ids, 0, sizeof(ids));
	id_count = 0;
	ids[id_count++] = start_tvm();
	give_pages(POOL_BASE + BUILD_PAGES * PAGE_SIZE, BUILD_PAGES);
	while (fuzz_more(&input))
		any_call(&input);
	undo_all();
	return 0;
}
