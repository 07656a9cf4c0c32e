/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A reset takes the PMP away and leaves memory as it was: the next host could
 * read what was confidential. The driver therefore keeps the set of
 * confidential ranges in the TSM's region, which no host can write, and zeroes
 * them before a host first runs.
 */

#include "tsmd.h"

#define RECORD_MAGIC	0x44524f4345524d54UL

struct record {
	unsigned long magic;
	struct tsmd_ranges ranges;
};

_Static_assert(sizeof(struct tsm_boot_info) <= TSMD_RECORD_OFFSET,
	       "the record follows the boot information");
_Static_assert(TSMD_RECORD_OFFSET + sizeof(struct record) <= TSMD_PAGE_SIZE,
	       "both are in one page");

static struct record *record(const struct tsmd_domain *domain)
{
	return (void *)(domain->tsm.end - TSMD_PAGE_SIZE + TSMD_RECORD_OFFSET);
}

void tsmd_record_write(const struct tsmd_domain *domain)
{
	record(domain)->ranges = domain->confidential;
	record(domain)->magic = RECORD_MAGIC;
}

static void zero(unsigned long start, unsigned long end)
{
	unsigned long *word;

	for (word = (void *)start; word < (unsigned long *)end; word++)
		*word = 0;
}

static void zero_ranges(const struct tsmd_domain *domain)
{
	const struct tsmd_ranges *set = &record(domain)->ranges;
	const struct tsmd_range *pool = &domain->pool;
	unsigned int i;

	/* Interrupt files are no memory: the reset has emptied them. */
	for (i = 0; i < set->count && i < TSMD_MAX_RANGES; i++)
		if (set->range[i].start >= pool->start &&
		    set->range[i].end <= pool->end)
			zero(set->range[i].start, set->range[i].end);
}

static bool is_blank(const struct tsmd_domain *domain)
{
	const unsigned long *word = (const void *)record(domain);
	unsigned long i;

	for (i = 0; i < sizeof(struct record) / sizeof(*word); i++)
		if (word[i])
			return false;
	return true;
}

void tsmd_record_scrub(const struct tsmd_domain *domain)
{
	if (record(domain)->magic == RECORD_MAGIC)
		zero_ranges(domain);
	else if (!is_blank(domain))
		/* Memory of unknown content: the record may have decayed. */
		zero(domain->pool.start, domain->pool.end);
	/* All zero means that somebody cleared all of memory before us. */
	tsmd_record_write(domain);
}
