/* SPDX-License-Identifier: BSD-2-Clause */
/* The TVM's evidence (firmware/abi/attestation.md). */
#ifndef TASK_EVIDENCE_H
#define TASK_EVIDENCE_H

#include "task/io.h"

/** Build the certificate around the evidence; result->size is 0 on failure */
void evidence_build(const struct task_request *request,
		    struct task_result *result);

/** Where evidence_build() gets its heap from; once, before it */
void evidence_heap(void *memory, size_t size);

#endif
