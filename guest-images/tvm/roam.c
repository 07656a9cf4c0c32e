// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that is moved from hart to hart and must not notice.
 *
 * Its argument is a number of rounds. In each it fills the registers that no
 * call may change, all floating-point registers and a page with values of the
 * round, makes a console call, which takes it to the host and perhaps to
 * another hart, and looks whether all of it is still there. The call's
 * argument has the number of the round, from 1 on, above the character.
 */
#include "cove.h"
#include "sbi.h"

#define WORDS	512

static uint64_t memory[WORDS];

#define ALL(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) \
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) \
	X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) \
	X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)

static uint64_t value(unsigned long round, unsigned int index)
{
	return (round + 1) * 0x9E3779B97F4A7C15 + index;
}

static void fill(unsigned long round, uint64_t *fp)
{
	for (unsigned int i = 0; i < WORDS; i++)
		memory[i] = value(round, i);
	for (unsigned int i = 0; i < 32; i++)
		fp[i] = value(round, 1000 + i);
#define LOAD(n) asm volatile("fld f" #n ", %0" : : "m"(fp[n]));
	ALL(LOAD)
}

static const char *changed(unsigned long round)
{
	static uint64_t fp[32];

#define STORE(n) asm volatile("fsd f" #n ", %0" : "=m"(fp[n]));
	ALL(STORE)
	for (unsigned int i = 0; i < 32; i++)
		if (fp[i] != value(round, 1000 + i))
			return "a floating-point register";
	for (unsigned int i = 0; i < WORDS; i++)
		if (memory[i] != value(round, i))
			return "memory";
	return 0;
}

/*
 * roam_call(seed, argument): the console call with a value that follows from
 * the seed in each register that it may not change; returns 0 if none did.
 */
unsigned long roam_call(uint64_t seed, uint64_t argument);

asm(
".text\n"
".globl	roam_call\n"
"roam_call:\n"
"	addi	sp, sp, -112\n"
"	sd	a0, 104(sp)\n"
"	.set	at, 0\n"
"	.irp	r, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11\n"
"	sd	\\r, at(sp)\n"
"	.set	at, at + 8\n"
"	.endr\n"
"	mv	t0, a0\n"
"	mv	a0, a1\n"
"	li	a1, 0\n"
"	li	a6, 2\n"
"	li	a7, 0x4442434e\n"
"	.set	n, 0\n"
"	.irp	r, t1, t2, t3, t4, t5, t6, a2, a3, a4, a5, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11\n"
"	.set	n, n + 1\n"
"	addi	\\r, t0, n\n"
"	.endr\n"
"	ecall\n"
"	ld	a1, 104(sp)\n"
"	sub	a0, t0, a1\n"
"	.set	n, 0\n"
"	.irp	r, t1, t2, t3, t4, t5, t6, a2, a3, a4, a5, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11\n"
"	.set	n, n + 1\n"
"	sub	\\r, \\r, a1\n"
"	addi	\\r, \\r, -n\n"
"	or	a0, a0, \\r\n"
"	.endr\n"
"	addi	a6, a6, -2\n"
"	or	a0, a0, a6\n"
"	.set	at, 0\n"
"	.irp	r, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11\n"
"	ld	\\r, at(sp)\n"
"	.set	at, at + 8\n"
"	.endr\n"
"	addi	sp, sp, 112\n"
"	ret\n");

_Static_assert(COVE_EID_DBCN == 0x4442434e && COVE_DBCN_CONSOLE_WRITE_BYTE == 2,
	       "roam_call() has these numbers");

static const char *one_round(unsigned long round)
{
	static uint64_t fp[32];

	fill(round, fp);
	if (roam_call(value(round, 3000), (round + 1) << 8 | '.'))
		return "a register";
	return changed(round);
}

void guest_main(unsigned long vcpu_id, unsigned long rounds)
{
	const char *what = 0;
	unsigned long round;

	(void)vcpu_id;
	for (round = 0; round < rounds && !what; round++)
		what = one_round(round);
	if (what) {
		print("\nroam: changed: ");
		print(what);
	} else {
		print("\nroam: ok");
	}
	print(" after ");
	print_decimal(round);
	print(" rounds\n");
}
