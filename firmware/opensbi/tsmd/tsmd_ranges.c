/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Set of confidential memory ranges and their PMP encoding.
 */

#include "tsmd_ranges.h"

/** Index of the first range that ends after @p start */
static unsigned int first_after(const struct tsmd_ranges *set,
				unsigned long start)
{
	unsigned int i = 0;

	while (i < set->count && set->range[i].end <= start)
		i++;
	return i;
}

static void insert(struct tsmd_ranges *set, unsigned int at,
		   unsigned long start, unsigned long end)
{
	unsigned int i;

	for (i = set->count; i > at; i--)
		set->range[i] = set->range[i - 1];
	set->range[at].start = start;
	set->range[at].end = end;
	set->count++;
}

static void erase(struct tsmd_ranges *set, unsigned int at)
{
	unsigned int i;

	set->count--;
	for (i = at; i < set->count; i++)
		set->range[i] = set->range[i + 1];
}

int tsmd_ranges_overlap(const struct tsmd_ranges *set, unsigned long start,
			unsigned long end)
{
	unsigned int i = first_after(set, start);

	return i < set->count && set->range[i].start < end;
}

int tsmd_ranges_add(struct tsmd_ranges *set, unsigned long start,
		    unsigned long end)
{
	unsigned int i = first_after(set, start);
	int joins_left, joins_right;

	if (tsmd_ranges_overlap(set, start, end))
		return -1;

	joins_left = i > 0 && set->range[i - 1].end == start;
	joins_right = i < set->count && set->range[i].start == end;

	if (joins_left && joins_right) {
		set->range[i - 1].end = set->range[i].end;
		erase(set, i);
	} else if (joins_left) {
		set->range[i - 1].end = end;
	} else if (joins_right) {
		set->range[i].start = start;
	} else {
		if (set->count == TSMD_MAX_RANGES)
			return -2;
		insert(set, i, start, end);
	}
	return 0;
}

int tsmd_ranges_remove(struct tsmd_ranges *set, unsigned long start,
		       unsigned long end)
{
	unsigned int i = first_after(set, start);
	unsigned long old_end;

	if (i == set->count || start < set->range[i].start ||
	    set->range[i].end < end)
		return -1;

	old_end = set->range[i].end;
	if (set->range[i].start == start && old_end == end) {
		erase(set, i);
	} else if (set->range[i].start == start) {
		set->range[i].start = end;
	} else if (old_end == end) {
		set->range[i].end = start;
	} else {
		if (set->count == TSMD_MAX_RANGES)
			return -2;
		set->range[i].end = start;
		insert(set, i + 1, end, old_end);
	}
	return 0;
}

int tsmd_range_is_napot(unsigned long start, unsigned long end)
{
	unsigned long size = end - start;

	return !(size & (size - 1)) && !(start & (size - 1));
}

unsigned int tsmd_ranges_pmp_entries(const struct tsmd_ranges *set)
{
	unsigned int i, entries = 0;

	for (i = 0; i < set->count; i++)
		entries += tsmd_range_is_napot(set->range[i].start,
					       set->range[i].end) ? 1 : 2;
	return entries;
}

unsigned long tsmd_pmpaddr_napot(unsigned long start, unsigned long size)
{
	return (start >> 2) | ((size >> 3) - 1);
}
