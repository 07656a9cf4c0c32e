// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest whose vector registers must survive every exit, and vl, vtype, vcsr
 * and vstart with them.
 *
 * Before each of 50 console calls all 32 registers and the CSRs get values of
 * that round; after it, they are compared bit by bit. The library is compiled
 * without vectors: nothing but the TSM or the host can change them in between.
 * Then vcsr and vstart alone are written, which may not make the unit dirty for
 * the TSM.
 */
#include "sbi.h"
#include "vector.h"

#define EXITS		50

static int round_trip(unsigned long vlenb, unsigned long salt)
{
	static struct vector wanted, found;

	vector_fill(&wanted, vlenb, salt);
	vector_load(&wanted, vlenb);
	print_now('.');
	vector_store(&found, vlenb);
	return vector_same(&wanted, &found, vlenb);
}

static int csrs_alone(void)
{
	int good = 1;

	for (unsigned long i = 1; i < 8; i++) {
		vector_csrs_write(i, i);
		print_now('.');
		good &= vector_csrs_are(i, i);
	}
	return good;
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	unsigned long vlenb = vector_on();
	int good = 1;

	(void)vcpu_id;
	if (!vlenb) {
		print("vec: none\n");
		return;
	}
	/* A register that nobody has written holds nothing of anybody. */
	if ((long)vector_type() >= 0 || vector_length())
		good = 0;
	for (int i = 0; i < EXITS; i++)
		good &= round_trip(vlenb, arg + i);
	good &= csrs_alone();
	print("\nvec: vlen=");
	print_decimal(vlenb * 8);
	print(good ? "\nvec: ok\n" : "\nvec: bad\n");
}
