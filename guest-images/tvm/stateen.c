// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest on harts with Smstateen. sstateen0 and senvcfg govern its own
 * U-mode, so they must be its own and hold over every exit; state that the TSM
 * does not switch must be out of its reach.
 */
#include "sbi.h"

#define EXITS		50

#define SSTATEEN0	"0x10c"
#define SENVCFG		"0x10a"
/* FIOM: the one bit of senvcfg that every hart has */
#define SENVCFG_FIOM	1

static volatile unsigned long traps;

/* Go on behind the instruction; CSR instructions have 4 bytes. */
__attribute__((interrupt("supervisor"), aligned(4)))
static void count_trap(void)
{
	unsigned long sepc;

	traps++;
	asm volatile("csrr %0, sepc" : "=r"(sepc));
	asm volatile("csrw sepc, %0" : : "r"(sepc + 4));
}

#define csr_read(number) ({						\
	unsigned long value_ = 0;					\
	asm volatile("csrr %0, " number : "+r"(value_) : : "memory");	\
	value_;								\
})

#define csr_write(number, value)					\
	asm volatile("csrw " number ", %0"				\
		     : : "r"((unsigned long)(value)) : "memory")

/* Complain of a CSR that the guest can read. */
#define closed(number, name) ({						\
	unsigned long before_ = traps;					\
	csr_read(number);						\
	if (traps == before_)						\
		print("stateen: reads " name "\n");			\
	traps != before_;						\
})

static int hold(unsigned long stateen, unsigned long envcfg)
{
	int good = 1;

	for (int i = 0; i < EXITS; i++) {
		csr_write(SSTATEEN0, i & 1 ? stateen : 0);
		csr_write(SENVCFG, i & 1 ? 0 : envcfg);
		print_now('.');
		good &= csr_read(SSTATEEN0) == (i & 1 ? stateen : 0);
		good &= csr_read(SENVCFG) == (i & 1 ? 0 : envcfg);
	}
	print(good ? "\n" : "\nstateen: lost in an exit\n");
	return good;
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	unsigned long found;
	int good;

	(void)vcpu_id;
	(void)arg;
	asm volatile("csrw stvec, %0" : : "r"(count_trap));
	found = csr_read(SSTATEEN0);
	if (traps) {
		print("stateen: none\n");
		return;
	}
	good = !found && !csr_read(SENVCFG);
	csr_write(SSTATEEN0, -1UL);
	csr_write(SENVCFG, SENVCFG_FIOM);
	found = csr_read(SSTATEEN0);
	/* Nothing of both is hardwired, so an interrupt has come in between. */
	if (!found)
		print("stateen: lost in an exit\n");
	good &= found && csr_read(SENVCFG) == SENVCFG_FIOM && !traps;
	good &= hold(found, SENVCFG_FIOM);
	good &= closed("0x14e", "sctrctl");
	good &= closed("0x14f", "sctrstatus");
	good &= closed("0x150", "siselect");
	good &= closed("0x151", "sireg");
	good &= closed("0x15c", "stopei");
	good &= closed("0x181", "srmcfg");
	good &= closed("0x5a8", "scontext");
	print(good ? "stateen: ok\n" : "stateen: bad\n");
}
