/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TVM from an image of pages, for payloads that are a host by themselves.
 * Needs nothing of the payload but a hart in HS-mode with satp = 0.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <stdint.h>

/** Confidential pages that a launch takes beside those of the image, at most */
#define LAUNCH_PAGES	32

struct launch {
	/** Unassigned confidential pages: LAUNCH_PAGES and those of the image */
	uint64_t pool;
	/** Image, in memory of the host, and where the guest has it */
	const void *image;
	uint64_t pages;
	uint64_t gpa;
	/** End of the guest's memory */
	uint64_t gpa_end;
	uint64_t entry;
	uint64_t argument;
	/** The TVM */
	uint64_t id;
	/** The call that was refused, if one was */
	const char *refused;
};

/** Register @p pages of zeros, three of them, as shared memory of this hart */
int64_t launch_set_shmem(void *pages);

/** Convert pages of the pool and fence; @return error of the call in @p refused */
int64_t launch_convert(uint64_t base, uint64_t pages, const char **refused);

/** Make the TVM with its vCPU 0 and its image. @return error of the TSM */
int64_t launch_create(struct launch *launch);

/** Make it runnable. @return error of the TSM */
int64_t launch_finalize(struct launch *launch);

#endif
