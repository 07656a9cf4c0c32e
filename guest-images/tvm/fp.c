// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest whose floating-point registers must survive every exit.
 *
 * All 32 registers are loaded with values of their own, then 50 console calls
 * take the guest to the host and back, and each register is compared bit by
 * bit. The library is compiled without floating point: nothing but the TSM or
 * the host can change the registers in between. Then fcsr alone is
 * written, which may not make the unit dirty for the TSM.
 */
#include "csr.h"
#include "fpregs.h"
#include "sbi.h"

#define EXITS		50

static int fcsr_alone(void)
{
	int good = 1;

	for (unsigned long i = 1; i < 32; i++) {
		csr_write("fcsr", i);
		print_now('.');
		good &= csr_read("fcsr") == i;
	}
	return good;
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	static uint64_t wanted[FP_REGISTERS], found[FP_REGISTERS];
	int good;

	(void)vcpu_id;
	fp_fill(wanted, arg & 0xffff);
	fp_load(wanted);
	for (int i = 0; i < EXITS; i++)
		print_now('.');
	fp_store(found);
	good = fp_same(wanted, found) & fcsr_alone();
	print("\n");
	print(good ? "fp: ok\n" : "fp: bad\n");
}
