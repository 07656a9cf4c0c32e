/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the TSM and its U-mode task say to each other. The TSM fills in the
 * request, runs the task, and believes nothing of what it finds afterwards:
 * it looks at the size once and copies that much.
 */
#ifndef TASK_IO_H
#define TASK_IO_H

#include <stddef.h>
#include <stdint.h>

#include "abi/teecall.h"

#define TASK_REGISTERS	(COVE_MEASUREMENT_INITIAL + COVE_MEASUREMENT_RUNTIME)
#define TASK_IDENTITY	64

struct task_request {
	/** From which the TSM's key follows */
	uint8_t cdi[32];
	struct tee_handover handover;
	uint8_t challenge[COVE_ATTEST_CHALLENGE_SIZE];
	/** Of the TVM, all zero if it has none */
	uint8_t identity[TASK_IDENTITY];
	uint8_t registers[TASK_REGISTERS][COVE_MEASUREMENT_DIGEST_SIZE];
	uint64_t key_size;
	uint8_t key[COVE_ATTEST_MAX_KEY];
};

struct task_result {
	/** 0 is a failure */
	uint64_t size;
	uint8_t evidence[COVE_ATTEST_MAX_EVIDENCE];
};

struct task_io {
	struct task_request request;
	struct task_result result;
};

#endif
