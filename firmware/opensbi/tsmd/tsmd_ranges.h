/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Set of confidential memory ranges and their PMP encoding. Pure: no CSR, no
 * lock, no OpenSBI header, so that it also runs in workstation tests.
 */
#ifndef TSMD_RANGES_H
#define TSMD_RANGES_H

#define TSMD_PAGE_SHIFT		12
#define TSMD_PAGE_SIZE		(1UL << TSMD_PAGE_SHIFT)

/** Most ranges a set can hold; the PMP runs out long before */
#define TSMD_MAX_RANGES		16

/** Half-open range of physical addresses */
struct tsmd_range {
	unsigned long start;
	unsigned long end;
};

/** Sorted, disjoint and coalesced ranges */
struct tsmd_ranges {
	unsigned int count;
	struct tsmd_range range[TSMD_MAX_RANGES];
};

/**
 * Add [start, end) to a set.
 *
 * @return 0, -1 if a part of it is in the set already, -2 if the set is full;
 *	   the set is unchanged unless 0 is returned
 */
int tsmd_ranges_add(struct tsmd_ranges *set, unsigned long start,
		    unsigned long end);

/**
 * Remove [start, end) from a set.
 *
 * @return 0, -1 if a part of it is not in the set, -2 if the set is full
 *	   (a removal in the middle of a range makes two of one)
 */
int tsmd_ranges_remove(struct tsmd_ranges *set, unsigned long start,
		       unsigned long end);

/** True if any byte of [start, end) is in the set */
int tsmd_ranges_overlap(const struct tsmd_ranges *set, unsigned long start,
			unsigned long end);

/** True if [start, end) can be one naturally aligned power-of-two entry */
int tsmd_range_is_napot(unsigned long start, unsigned long end);

/** PMP entries that a set takes: one for NAPOT, two for top-of-range */
unsigned int tsmd_ranges_pmp_entries(const struct tsmd_ranges *set);

/** pmpaddr value of a naturally aligned power-of-two range */
unsigned long tsmd_pmpaddr_napot(unsigned long start, unsigned long size);

#endif
