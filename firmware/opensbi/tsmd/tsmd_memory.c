/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which memory is confidential: ASSIGN and RELEASE of the TSM, the pages that
 * M-mode must keep out of it, and the checks OpenSBI makes for the host.
 *
 * One lock guards all domains' sets of ranges and the NACL registrations. A
 * hart that waits for it serves its own IPIs, because the holder may wait for
 * them.
 */

#include "tsmd.h"

static spinlock_t lock = SPIN_LOCK_INITIALIZER;
/** Odd while a domain's `confidential` is being written */
static unsigned long sequence;
/**
 * NACL pages by hart index. The TSMs have copies in their boot information,
 * which each of them can write: what M-mode relies on is here.
 */
static unsigned long nacl[COVE_MAX_HARTS];
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

static bool in_pool(const struct tsmd_range *pool, unsigned long base,
		    unsigned long pages)
{
	unsigned long room;

	if (base & (TSMD_PAGE_SIZE - 1) || !pages ||
	    base < pool->start || base >= pool->end)
		return false;
	room = (pool->end - base) >> TSMD_PAGE_SHIFT;
	return pages <= room;
}

/**
 * Some TSM has a part of it. Pools do not meet, so for ASSIGN this is about
 * interrupt files, which are in nobody's pool: whoever asks first has them.
 */
static bool is_taken(unsigned long start, unsigned long end)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++)
		if (tsmd_ranges_overlap(&tsmd_domains[i].confidential, start,
					end))
			return true;
	return false;
}

static bool overlaps_nacl(unsigned long start, unsigned long end)
{
	unsigned long shmem;
	u32 i;

	for (i = 0; i < COVE_MAX_HARTS; i++) {
		shmem = nacl[i];
		if (shmem && shmem < end &&
		    start < shmem + COVE_NACL_SHMEM_SIZE)
			return true;
	}
	return false;
}

static unsigned int entries_used(void)
{
	unsigned int i, used = 0;

	for (i = 0; i < tsmd_domain_count; i++)
		used += tsmd_ranges_pmp_entries(&tsmd_domains[i].confidential);
	return used;
}

/** Take @p next as the domain's set if the PMP can express it */
static int commit(struct tsmd_hart *hart, struct tsmd_domain *domain,
		  const struct tsmd_ranges *next)
{
	unsigned int others = entries_used() -
			      tsmd_ranges_pmp_entries(&domain->confidential);

	if (others + tsmd_ranges_pmp_entries(next) > tsmd_pmp_capacity())
		return COVE_ERR_OUT_OF_RANGES;

	sequence++;
	smp_wmb();
	domain->confidential = *next;
	smp_wmb();
	sequence++;
	tsmd_record_write(domain);
	tsmd_pmp_publish();
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
	struct tsmd_domain *domain = hart->domain;
	unsigned long end = base + (pages << TSMD_PAGE_SHIFT);
	struct tsmd_ranges next;
	int rc;

	if (!in_pool(&domain->pool, base, pages) &&
	    !(pages == 1 && tsmd_imsic_is_guest_file(base)))
		return COVE_ERR_INVALID_ADDRESS;

	memory_lock();
	next = domain->confidential;
	if (assign && (overlaps_nacl(base, end) || is_taken(base, end)))
		rc = -1;
	else if (assign)
		rc = tsmd_ranges_add(&next, base, end);
	else
		rc = tsmd_ranges_remove(&next, base, end);

	if (rc == 0)
		rc = commit(hart, domain, &next);
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
	used = entries_used();
	spin_unlock(&lock);
	return tsmd_pmp_capacity() - used;
}

long tsmd_memory_info(struct tsmd_hart *hart, unsigned long kind,
		      unsigned long *value)
{
	switch (kind) {
	case COVE_INFO_RANGES_USED:
		*value = hart->domain->confidential.count;
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

/** For all TSMs: the host registers its memory once, whomever it calls. */
static void set_nacl(u32 hart, unsigned long base)
{
	u32 i;

	nacl[hart] = base;
	for (i = 0; i < tsmd_domain_count; i++)
		tsmd_domains[i].info->nacl[hart] = base;
}

int tsmd_memory_set_nacl(struct tsmd_hart *hart, unsigned long base)
{
	int rc = 0;

	memory_lock();
	if (base && is_taken(base, base + COVE_NACL_SHMEM_SIZE))
		rc = SBI_ERR_INVALID_ADDRESS;
	else
		set_nacl(hart->index, base);
	spin_unlock(&lock);
	return rc;
}

static bool in_a_tsm(unsigned long start, unsigned long end)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++)
		if (start < tsmd_domains[i].tsm.end &&
		    tsmd_domains[i].tsm.start < end)
			return true;
	return false;
}

bool tsmd_memory_denied(unsigned long start, unsigned long end)
{
	unsigned long before;
	bool hit;

	if (in_a_tsm(start, end))
		return true;

	/*
	 * Not by the lock: the caller may hold locks of OpenSBI that the IPIs
	 * served while waiting for it would want. The writer never waits
	 * between its two steps.
	 */
	do {
		before = *(volatile unsigned long *)&sequence;
		smp_rmb();
		hit = is_taken(start, end);
		smp_rmb();
	} while (before & 1 || before != *(volatile unsigned long *)&sequence);
	return hit;
}

bool tsmd_memory_in_pool(unsigned long start, unsigned long end)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++)
		if (start < end &&
		    tsmd_domain_meets(&tsmd_domains[i], start, end))
			return true;
	return false;
}
