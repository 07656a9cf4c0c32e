// SPDX-License-Identifier: BSD-2-Clause
/* The page tracker: see mem.h for the states and the lock order. */
#include "arch/arch.h"
#include "mem/mem.h"
#include "trace/trace.h"

/* Ends an owner's list. */
#define NO_PAGE		0xffffffffU

struct page {
	/* PAGE_*; CONVERTING stays here until the page is touched again */
	u8 state;
	/* A call is working on it */
	bool claimed;
	union {
		/* An owner's: the page that was given before this one */
		u32 older;
		/* HOST: mappings in TVMs that share it */
		u32 shares;
	};
	union {
		/* An owner's: the page that was given after this one */
		u64 newer;
		/* CONVERTING: of the global fence */
		u64 version;
	};
};

static struct {
	struct spinlock lock;
	u64 base;
	u64 count;
	struct page *page;
	/* Each owner's page that was given last */
	u32 last[PAGE_OWNERS];
} pool;

void pages_lock(void)
{
	spin_lock(&pool.lock);
}

void pages_unlock(void)
{
	spin_unlock(&pool.lock);
}

void pages_init(const struct tsm_boot_info *info, u64 image_end)
{
	u64 count = info->pool.size >> PAGE_SHIFT;
	u64 room = info->tsm.base + info->tsm.size - PAGE_SIZE - image_end;
	unsigned int i;

	if (count > room / sizeof(struct page))
		tsm_panic("no room for the state of %lu pages", count);
	pool.base = info->pool.base;
	pool.count = count;
	pool.page = phys_to_virt(image_end);
	/* All pages start as PAGE_HOST, unclaimed. */
	memset(pool.page, 0, count * sizeof(struct page));
	for (i = 0; i < PAGE_OWNERS; i++)
		pool.last[i] = NO_PAGE;
	tsm_stats.pages[PAGE_HOST] = count;
}

static bool in_pool(u64 address)
{
	return address - pool.base < pool.count << PAGE_SHIFT;
}

static struct page *page_of(u64 address)
{
	return &pool.page[(address - pool.base) >> PAGE_SHIFT];
}

s64 pages_check_range(u64 base, u64 count)
{
	if (!page_aligned(base) || !in_pool(base))
		return COVE_ERR_INVALID_ADDRESS;
	if (!count || count > ~0UL >> PAGE_SHIFT)
		return COVE_ERR_INVALID_PARAM;
	if (count > pool.count - ((base - pool.base) >> PAGE_SHIFT))
		return COVE_ERR_INVALID_ADDRESS;
	return COVE_SUCCESS;
}

static unsigned int state_of(const struct page *page)
{
	if (page->state == PAGE_CONVERTING && fence_settled(page->version))
		return PAGE_UNASSIGNED;
	return page->state;
}

/* The counters follow what state_of() says, which a fence may change too. */
static void set_state(struct page *page, unsigned int state)
{
	tsm_stats.pages[state_of(page)]--;
	if (page->state == PAGE_CONVERTING)
		fence_drop_page(page->version);
	page->state = state;
	if (state == PAGE_CONVERTING)
		page->version = fence_add_page();
	if (state == PAGE_HOST)
		page->shares = 0;
	tsm_stats.pages[state]++;
}

/* Put a page at the end of its owner's list. */
static void link(struct page *page, unsigned int owner)
{
	u32 number = page - pool.page;
	u32 older = pool.last[owner];

	page->older = older;
	page->newer = NO_PAGE;
	if (older != NO_PAGE)
		pool.page[older].newer = number;
	pool.last[owner] = number;
}

static void unlink(const struct page *page, unsigned int owner)
{
	u64 newer = page->newer;

	if (newer == NO_PAGE)
		pool.last[owner] = page->older;
	else
		pool.page[newer].older = page->older;
	if (page->older != NO_PAGE)
		pool.page[page->older].newer = newer;
}

unsigned int page_state(u64 page)
{
	unsigned int state;

	pages_lock();
	state = state_of(page_of(page));
	pages_unlock();
	return state;
}

bool page_is_withheld(u64 page)
{
	const struct page *found;

	if (!in_pool(page))
		return false;
	found = page_of(page);
	return found->state != PAGE_HOST || found->claimed;
}

static bool claim_one(struct page *page, unsigned int state)
{
	if (page->claimed)
		return false;
	/* What a TVM has mapped as shared stays the host's. */
	if (page->state == PAGE_HOST && page->shares)
		return false;
	if (state == PAGE_UNASSIGNED && state_of(page) == PAGE_CONVERTING)
		fence_look_again(page->version);
	if (state_of(page) != state)
		return false;
	page->claimed = true;
	return true;
}

s64 pages_claim(u64 base, u64 count, unsigned int state)
{
	struct page *page = page_of(base);
	u64 done = 0;
	bool all;

	pages_lock();
	while (done < count && claim_one(&page[done], state))
		done++;
	all = done == count;
	while (!all && done > 0)
		page[--done].claimed = false;
	pages_unlock();
	return all ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}

void pages_unclaim(u64 base, u64 count)
{
	struct page *page = page_of(base);
	u64 i;

	pages_lock();
	for (i = 0; i < count; i++)
		page[i].claimed = false;
	pages_unlock();
}

static void mark(u64 base, u64 count, unsigned int state, bool claimed)
{
	struct page *page = page_of(base);
	u64 i;

	pages_lock();
	for (i = 0; i < count; i++) {
		set_state(&page[i], state);
		page[i].claimed = claimed;
	}
	pages_unlock();
}

void pages_mark(u64 base, u64 count, unsigned int state)
{
	mark(base, count, state, true);
}

void pages_move(u64 base, u64 count, unsigned int state)
{
	mark(base, count, state, false);
}

void pages_give(u64 base, u64 count, unsigned int state, unsigned int owner)
{
	struct page *page = page_of(base);
	u64 i;

	pages_lock();
	for (i = 0; i < count; i++) {
		set_state(&page[i], state);
		page[i].claimed = false;
		link(&page[i], owner);
	}
	pages_unlock();
}

static u64 take(unsigned int owner, u64 count, bool claimed)
{
	struct page *page;
	u64 taken = 0;

	pages_lock();
	while (taken < count && pool.last[owner] != NO_PAGE) {
		page = &pool.page[pool.last[owner]];
		unlink(page, owner);
		set_state(page, PAGE_UNASSIGNED);
		page->claimed = claimed;
		taken++;
	}
	pages_unlock();
	return taken;
}

u64 pages_take(unsigned int owner, u64 count)
{
	return take(owner, count, false);
}

u64 pages_take_claimed(unsigned int owner, u64 count)
{
	return take(owner, count, true);
}

void pages_release(u64 base, u64 count, unsigned int owner)
{
	struct page *page = page_of(base);
	u64 i;

	pages_lock();
	for (i = 0; i < count; i++) {
		unlink(&page[i], owner);
		set_state(&page[i], PAGE_UNASSIGNED);
	}
	pages_unlock();
}

void page_count_share(u64 page, int change)
{
	if (in_pool(page))
		page_of(page)->shares += change;
}
