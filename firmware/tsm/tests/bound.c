// SPDX-License-Identifier: BSD-2-Clause
/*
 * How much the TSM does between two looks at the host's interrupts. The
 * tracker's records and the pool's content are compared with what they were
 * at the last look: what has changed is what has been done.
 */
#include "tests/test.h"

/* Each page's record in the tracker, and its state, which tells of a change */
#define RECORD_SIZE	16
#define STATE_SIZE	2
/* Tables keep links at their start, which is book-keeping. */
#define CONTENT_OFFSET	2048

static u8 states[POOL_PAGES][STATE_SIZE];
static u64 content[POOL_PAGES];

/* Pages whose record has changed since the last time. */
static unsigned int changed_records(void)
{
	const u8 *record = phys_to_virt(arch_image_end());
	unsigned int changed = 0, i;

	for (i = 0; i < POOL_PAGES; i++, record += RECORD_SIZE) {
		changed += !!memcmp(states[i], record, STATE_SIZE);
		memcpy(states[i], record, STATE_SIZE);
	}
	return changed;
}

static unsigned int changed_content(void)
{
	unsigned int changed = 0, i;
	u64 now;

	for (i = 0; i < POOL_PAGES; i++) {
		now = *(u64 *)phys_to_virt(POOL_BASE + i * PAGE_SIZE +
					   CONTENT_OFFSET);
		changed += content[i] != now;
		content[i] = now;
	}
	return changed;
}

static void look(enum look when)
{
	unsigned int books = changed_records();
	unsigned int pages = changed_content();

	/* What a test does between two calls is its own. */
	if (when == LOOK_BEGIN)
		return;
	check_true(books <= PAGES_A_STEP);
	check_true(pages <= SCRUBS_A_STEP);
}

void watch_bounds(void)
{
	fake.look = look;
}
