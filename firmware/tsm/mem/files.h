/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who owns which guest interrupt file. A file is a page of an IMSIC, and goes
 * the way of pages: HOST --convert--> CONVERTING --fence--> UNASSIGNED --bind-->
 * BOUND, and back. M-mode closes the page to the host with an isolation entry.
 * Its lock is the page tracker's, which versions of fences need anyway.
 */
#ifndef TSM_FILES_H
#define TSM_FILES_H

#include "abi/teecall.h"
#include "lib/lib.h"

/** All files are the host's */
void files_init(const struct tsm_boot_info *info);

/** The machine has guest interrupt files */
bool files_possible(void);

/** Largest identity of an interrupt */
u64 files_max_id(void);

/** Where MSIs to a file arrive */
u64 file_page(unsigned int hart, unsigned int number);

/**
 * The host gives a file away.
 * @return COVE_ERR_INVALID_ADDRESS if the page is no guest interrupt file of
 *	   the host's, or M-mode's error
 */
s64 file_convert(u64 page);

/**
 * The host takes a file back.
 * @return COVE_ERR_INVALID_ADDRESS if the page is no file that was given away
 *	   and fenced, COVE_ERR_INVALID_PARAM if a vCPU has it, or M-mode's error
 */
s64 file_reclaim(u64 page);

/**
 * Take an unassigned file of a hart for a vCPU.
 * @param mask one bit, as in hgeie
 * @return COVE_ERR_INVALID_PARAM if there is no such file to be had
 */
s64 file_bind(unsigned int hart, u64 mask, unsigned int *number);

/** A file that was bound is unassigned again; it must be empty */
void file_unbind(unsigned int hart, unsigned int number);

#endif
