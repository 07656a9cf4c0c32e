/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which memory is confidential: ASSIGN and RELEASE of the TSM, the pages that
 * M-mode must keep out of it, and the checks OpenSBI makes for the host.
 *
 * One lock guards the set of ranges and the NACL registrations. A hart that
 * waits for it serves its own IPIs, because the holder may wait for them.
 */

#include "tsmd.h"

static spinlock_t lock = SPIN_LOCK_INITIALIZER;
static struct tsmd_ranges confidential;
/** Odd while `confidential` is being written */
static unsigned long sequence;
static u32 refresh_event = SBI_IPI_EVENT_MAX;

static int refresh_update(struct sbi_scratch *scratch,
			  struct sbi_scratch *remote_scratch,
			  u32 remote_hartindex, void *data)
{
	/* This hart has loaded the image already. */
	return scratch == remote_scratch ? SBI_IPI_UPDATE_BREAK :
					   SBI_IPI_UPDATE_SUCCESS;
}

static void refresh_process(struct sbi_scratch *scratch)
{
	tsmd_pmp_refresh(tsmd_this_hart());
}

static const struct sbi_ipi_event_ops refresh_ops = {
	.name = "IPI_TSMD_REFRESH",
	.update = refresh_update,
	.process = refresh_process,
};

int tsmd_memory_init(void)
{
	int event = sbi_ipi_event_create(&refresh_ops);

	if (event < 0)
		return event;
	refresh_event = event;
	return 0;
}

static void memory_lock(void)
{
	while (!spin_trylock(&lock))
		sbi_ipi_process();
}

static bool in_pool(unsigned long base, unsigned long pages)
{
	unsigned long room;

	if (base & (TSMD_PAGE_SIZE - 1) || !pages ||
	    base < tsmd.pool.start || base >= tsmd.pool.end)
		return false;
	room = (tsmd.pool.end - base) >> TSMD_PAGE_SHIFT;
	return pages <= room;
}

static bool overlaps_nacl(unsigned long start, unsigned long end)
{
	unsigned long shmem;
	u32 i;

	for (i = 0; i < COVE_MAX_HARTS; i++) {
		shmem = tsmd.info->nacl[i];
		if (shmem && shmem < end &&
		    start < shmem + COVE_NACL_SHMEM_SIZE)
			return true;
	}
	return false;
}

/** Take @p next as the confidential set if the PMP can express it */
static int commit(struct tsmd_hart *hart, const struct tsmd_ranges *next)
{
	if (tsmd_ranges_pmp_entries(next) > tsmd_pmp_capacity())
		return COVE_ERR_OUT_OF_RANGES;

	sequence++;
	smp_wmb();
	confidential = *next;
	smp_wmb();
	sequence++;
	tsmd_record_write(next);
	tsmd_pmp_publish(&confidential);
	tsmd_pmp_refresh(hart);
	return 0;
}

void tsmd_memory_poke_harts(void)
{
	sbi_ipi_send_many(0, -1UL, refresh_event, NULL);
}

static void tell_other_harts(struct tsmd_hart *hart)
{
	tsmd_memory_poke_harts();
	tsmd_pmp_sync(hart);
}

static int change(struct tsmd_hart *hart, unsigned long base,
		  unsigned long pages, bool assign)
{
	unsigned long end = base + (pages << TSMD_PAGE_SHIFT);
	struct tsmd_ranges next;
	int rc;

	if (!in_pool(base, pages) &&
	    !(pages == 1 && tsmd_imsic_is_guest_file(base)))
		return COVE_ERR_INVALID_ADDRESS;

	memory_lock();
	next = confidential;
	if (assign && overlaps_nacl(base, end))
		rc = -1;
	else if (assign)
		rc = tsmd_ranges_add(&next, base, end);
	else
		rc = tsmd_ranges_remove(&next, base, end);

	if (rc == 0)
		rc = commit(hart, &next);
	else
		rc = rc == -1 ? COVE_ERR_INVALID_ADDRESS :
				COVE_ERR_OUT_OF_RANGES;
	spin_unlock(&lock);

	/* Outside the lock: the other harts may be waiting for it. */
	if (!rc)
		tell_other_harts(hart);
	return rc;
}

int tsmd_memory_assign(struct tsmd_hart *hart, unsigned long base,
		       unsigned long pages)
{
	int rc = change(hart, base, pages, true);

	tsmd_event(hart, TEE_EVENT_ASSIGN, rc, base, pages);
	return rc;
}

int tsmd_memory_release(struct tsmd_hart *hart, unsigned long base,
			unsigned long pages)
{
	int rc = change(hart, base, pages, false);

	tsmd_event(hart, TEE_EVENT_RELEASE, rc, base, pages);
	return rc;
}

static unsigned long entries_free(void)
{
	unsigned long used;

	memory_lock();
	used = tsmd_ranges_pmp_entries(&confidential);
	spin_unlock(&lock);
	return tsmd_pmp_capacity() - used;
}

long tsmd_memory_info(unsigned long kind, unsigned long *value)
{
	switch (kind) {
	case COVE_INFO_RANGES_USED:
		*value = confidential.count;
		return 0;
	case COVE_INFO_RANGES_FREE:
		*value = entries_free();
		return 0;
	case COVE_INFO_HARTS_RUNNING:
		*value = tsmd_pmp_running_harts();
		return 0;
	}
	return COVE_ERR_INVALID_PARAM;
}

int tsmd_memory_set_nacl(struct tsmd_hart *hart, unsigned long base)
{
	int rc = 0;

	memory_lock();
	if (base && tsmd_ranges_overlap(&confidential, base,
					base + COVE_NACL_SHMEM_SIZE))
		rc = SBI_ERR_INVALID_ADDRESS;
	else
		tsmd.info->nacl[hart->index] = base;
	spin_unlock(&lock);
	return rc;
}

bool tsmd_memory_denied(unsigned long start, unsigned long end)
{
	unsigned long before;
	bool hit;

	if (tsmd.state == TSMD_ABSENT)
		return false;
	if (start < tsmd.tsm.end && tsmd.tsm.start < end)
		return true;

	/*
	 * Not by the lock: the caller may hold locks of OpenSBI that the IPIs
	 * served while waiting for it would want. The writer never waits
	 * between its two steps.
	 */
	do {
		before = *(volatile unsigned long *)&sequence;
		smp_rmb();
		hit = tsmd_ranges_overlap(&confidential, start, end);
		smp_rmb();
	} while (before & 1 || before != *(volatile unsigned long *)&sequence);
	return hit;
}

bool tsmd_memory_in_pool(unsigned long start, unsigned long end)
{
	return tsmd.state != TSMD_ABSENT && start < end &&
	       ((start < tsmd.tsm.end && tsmd.tsm.start < end) ||
		(start < tsmd.pool.end && tsmd.pool.start < end));
}
