// SPDX-License-Identifier: BSD-2-Clause
/*
 * The floating-point registers of a guest. Only this file may use them; the
 * compiler does not, because nothing here computes with floating point.
 */
#include "fpregs.h"

#define ALL(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) \
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) \
	X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) \
	X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)

void fp_load(const uint64_t *values)
{
#define LOAD(n) asm volatile("fld f" #n ", %0" : : "m"(values[n]));
	ALL(LOAD)
}

void fp_store(uint64_t *values)
{
#define STORE(n) asm volatile("fsd f" #n ", %0" : "=m"(values[n]));
	ALL(STORE)
}

void fp_fill(uint64_t *values, unsigned long salt)
{
	for (unsigned int i = 0; i < FP_REGISTERS; i++)
		values[i] = 0x3ff0000000000000 | salt << 16 | i;
}

int fp_same(const uint64_t *a, const uint64_t *b)
{
	for (unsigned int i = 0; i < FP_REGISTERS; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}
