/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on demand, in a TSM built with FAULTS=1: how the machine takes the
 * death of its TSM can be tried out only with one that dies.
 */
#ifndef TSM_FAULT_H
#define TSM_FAULT_H

#include "lib/lib.h"

/**
 * Do the harm that a COVH function number stands for (COVE_FAULT_FID + kind).
 *
 * @param number function; returns at once if it is none of these
 * @param args a0 to a5 of the call
 */
void fault_inject(u64 number, const u64 *args);

#endif
