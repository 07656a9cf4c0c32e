/* SPDX-License-Identifier: BSD-2-Clause */
/* Only in a TSM built with FAULTS=1: harm that a challenge asks for. */
#ifndef TASK_FAULT_H
#define TASK_FAULT_H

#include <stdint.h>

/**
 * A challenge that begins with "fault:" is followed by a letter: z store to
 * address 0, t store to the TSM, i illegal instruction, s recursion without
 * end, x execute data, c clear the task's code, l loop for ever.
 */
void task_fault(const uint8_t *challenge);

#endif
