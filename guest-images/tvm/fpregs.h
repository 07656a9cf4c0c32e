/* SPDX-License-Identifier: BSD-2-Clause */
/* fpregs.c: f0 to f31 */
#ifndef GUEST_FPREGS_H
#define GUEST_FPREGS_H

#include <stdint.h>

#define FP_REGISTERS	32

/** Values that follow from the salt (16 bits), different in every register. */
void fp_fill(uint64_t *values, unsigned long salt);

void fp_load(const uint64_t *values);
void fp_store(uint64_t *values);
int fp_same(const uint64_t *a, const uint64_t *b);

#endif
