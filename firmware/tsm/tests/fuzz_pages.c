// SPDX-License-Identifier: BSD-2-Clause
/*
 * libFuzzer on the page tracker and its fences, against a plain list of what
 * each page is. The model keeps the tracker's rules (mem.h): only claimed pages
 * are moved on, and only an owner's pages are taken from it.
 */
#include "tests/fuzz.h"

#define PAGES	24U
#define OWNERS	3U
#define HARTS	2U

static struct {
	unsigned int state;
	bool claimed;
	u32 shares;
	/* CONVERTING: a fence has begun since */
	bool fencing;
	unsigned int owner;
} model[PAGES];

/* Each owner's pages, the one it was given last at the end */
static u32 owned[OWNERS][PAGES];
static u32 owned_count[OWNERS];
/* Harts that the open fence waits for, by bit */
static u32 missing;

static u64 address(u32 page)
{
	return POOL_BASE + page * PAGE_SIZE;
}

static bool plain(u32 page)
{
	return model[page].state == PAGE_HOST && !model[page].claimed;
}

static bool all_claimed(u32 page, u32 count)
{
	u32 i;

	for (i = page; i < page + count; i++)
		if (!model[i].claimed)
			return false;
	return true;
}

static void set(u32 page, unsigned int state, bool claimed)
{
	if (state == PAGE_HOST && model[page].state != PAGE_HOST)
		model[page].shares = 0;
	model[page].state = state;
	model[page].claimed = claimed;
	model[page].fencing = false;
}

static void claim(u32 page, u32 count, unsigned int state)
{
	bool possible = true;
	u32 i;

	for (i = page; i < page + count; i++)
		if (model[i].state != state || model[i].claimed ||
		    model[i].shares)
			possible = false;
	check_equal(pages_claim(address(page), count, state),
		    possible ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS);
	for (i = page; possible && i < page + count; i++)
		model[i].claimed = true;
}

static void move(u32 page, u32 count, unsigned int state, bool claimed)
{
	u32 i;

	if (!all_claimed(page, count))
		return;
	if (claimed)
		pages_mark(address(page), count, state);
	else
		pages_move(address(page), count, state);
	for (i = page; i < page + count; i++)
		set(i, state, claimed);
}

static void unclaim(u32 page, u32 count)
{
	u32 i;

	if (!all_claimed(page, count))
		return;
	pages_unclaim(address(page), count);
	for (i = page; i < page + count; i++)
		model[i].claimed = false;
}

static void give(u32 page, u32 count, unsigned int state, unsigned int owner)
{
	u32 i;

	if (!all_claimed(page, count))
		return;
	pages_give(address(page), count, state, owner);
	for (i = page; i < page + count; i++) {
		set(i, state, false);
		model[i].owner = owner;
		owned[owner][owned_count[owner]++] = i;
	}
}

static void take(unsigned int owner, u32 count, bool claimed)
{
	u32 wanted = owned_count[owner] < count ? owned_count[owner] : count;
	u32 i;

	check_equal(claimed ? pages_take_claimed(owner, count) :
			      pages_take(owner, count), wanted);
	for (i = 0; i < wanted; i++)
		set(owned[owner][--owned_count[owner]], PAGE_UNASSIGNED,
		    claimed);
}

static bool owned_by(u32 page, unsigned int owner)
{
	return model[page].state >= PAGE_TVM_STATE &&
	       model[page].owner == owner;
}

static void release(u32 page, unsigned int owner)
{
	u32 *list = owned[owner];
	u32 i;

	if (!owned_by(page, owner))
		return;
	pages_release(address(page), 1, owner);
	set(page, PAGE_UNASSIGNED, false);
	for (i = 0; list[i] != page; i++)
		;
	owned_count[owner]--;
	for (; i < owned_count[owner]; i++)
		list[i] = list[i + 1];
}

static void share(u32 page, u32 count)
{
	bool possible = true;
	u32 i;

	for (i = page; i < page + count; i++)
		possible &= plain(i);
	check_equal(host_share(address(page), count),
		    possible ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS);
	for (i = page; possible && i < page + count; i++)
		model[i].shares++;
}

static void unshare(u32 page)
{
	if (!model[page].shares)
		return;
	host_unshare(address(page), 1);
	model[page].shares--;
}

static void begin_fence(void)
{
	u32 i;

	check_equal(fence_start(),
		    missing ? COVE_ERR_ALREADY_STARTED : COVE_SUCCESS);
	if (missing)
		return;
	missing = (1 << HARTS) - 1;
	for (i = 0; i < PAGES; i++)
		model[i].fencing = model[i].state == PAGE_CONVERTING;
}

static void local_fence(unsigned int hart)
{
	bool was_open = missing;
	u32 i;

	fence_local(hart);
	missing &= ~(1U << hart);
	if (missing || !was_open)
		return;
	for (i = 0; i < PAGES; i++)
		if (model[i].fencing && model[i].state == PAGE_CONVERTING)
			model[i].state = PAGE_UNASSIGNED;
}

static void check_pages(void)
{
	u64 counted[PAGE_STATES] = { [PAGE_HOST] = POOL_PAGES - PAGES };
	u32 i;

	for (i = 0; i < PAGES; i++) {
		check_equal(page_state(address(i)), model[i].state);
		check_equal(host_check(address(i), PAGE_SIZE),
			    plain(i) ? 0 : COVE_ERR_INVALID_ADDRESS);
		counted[model[i].state]++;
	}
	for (i = 0; i < PAGE_STATES; i++)
		check_equal(tsm_stats.pages[i], counted[i]);
}

static void any_operation(struct fuzz_input *input)
{
	static const unsigned int free_states[] = {
		PAGE_HOST, PAGE_CONVERTING, PAGE_UNASSIGNED,
	};
	unsigned int what = fuzz_byte(input, 12);
	u32 page = fuzz_byte(input, PAGES);
	u32 count = 1 + fuzz_byte(input, 4);
	unsigned int state = free_states[fuzz_byte(input, 3)];
	unsigned int owner = page % OWNERS;

	if (count > PAGES - page)
		count = PAGES - page;
	switch (what) {
	case 0:
	case 1:
		claim(page, count, state);
		break;
	case 2:
		unclaim(page, count);
		break;
	case 3:
		move(page, count, state, true);
		break;
	case 4:
		move(page, count, state, false);
		break;
	case 5:
		give(page, count, PAGE_TVM_STATE + count % 4, owner);
		break;
	case 6:
		take(owner, count, state == PAGE_HOST);
		break;
	case 7:
		release(page, model[page].owner);
		break;
	case 8:
		share(page, count);
		break;
	case 9:
		unshare(page);
		break;
	case 10:
		begin_fence();
		break;
	default:
		local_fence(page % HARTS);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input input = fuzz_begin(data, size);
	unsigned int hart;

	fake_boot();
	memset(model, 0, sizeof(model));
	memset(owned_count, 0, sizeof(owned_count));
	missing = 0;
	for (hart = 0; hart < HARTS; hart++)
		fence_see(hart);
	while (fuzz_more(&input)) {
		any_operation(&input);
		check_pages();
	}
	return 0;
}
