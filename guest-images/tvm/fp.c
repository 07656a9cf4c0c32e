// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest whose floating-point registers must survive every exit.
 *
 * All 32 registers are loaded with values of their own, then 50 console calls
 * take the guest to the host and back, and each register is compared bit by
 * bit. The library is compiled without floating point: nothing but the TSM or
 * the host can change the registers in between.
 */
#include "sbi.h"

#define FP_REGISTERS	32
#define EXITS		50

#define ALL(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) \
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) \
	X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) \
	X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)

static void load_all(const uint64_t *values)
{
#define LOAD(n) asm volatile("fld f" #n ", %0" : : "m"(values[n]));
	ALL(LOAD)
}

static void store_all(uint64_t *values)
{
#define STORE(n) asm volatile("fsd f" #n ", %0" : "=m"(values[n]));
	ALL(STORE)
}

static void fill(uint64_t *values, unsigned long salt)
{
	for (unsigned int i = 0; i < FP_REGISTERS; i++)
		values[i] = 0x3ff0000000000000 | salt << 16 | i;
}

static int same(const uint64_t *a, const uint64_t *b)
{
	for (unsigned int i = 0; i < FP_REGISTERS; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	static uint64_t wanted[FP_REGISTERS], found[FP_REGISTERS];
	int good;

	(void)vcpu_id;
	fill(wanted, arg & 0xffff);
	load_all(wanted);
	for (int i = 0; i < EXITS; i++)
		print(".");
	store_all(found);
	good = same(wanted, found);
	print("\n");
	print(good ? "fp: ok\n" : "fp: bad\n");
}
