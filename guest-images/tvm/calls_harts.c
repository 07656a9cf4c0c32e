// SPDX-License-Identifier: BSD-2-Clause
/* Traps, the timer, and what one vCPU asks of another. */
#include "calls.h"
#include "cove.h"
#include "csr.h"
#include "sbi.h"

#define INTERRUPT	(1UL << 63)
#define SOFT		1
#define TIMER		5
#define EXTERNAL	9
#define TICKS		20000
#define ROUNDS		20
#define STIMECMP	"0x14d"
#define NEVER		(~0UL)
#define HVIP_REGISTER	(DEVICE + 0xff0)

/* What the second vCPU is to do next, and how often it has begun */
static volatile unsigned long stop_second, begun, second_arg;
static volatile unsigned long shared_word;

void calls_trapped(void);
void second_main(unsigned long vcpu, unsigned long arg);

static unsigned long self(void)
{
	unsigned long id;

	asm volatile("mv %0, tp" : "=r"(id));
	return id;
}

static void exception(struct trap_counts *mine)
{
	unsigned long pc = csr_read("sepc");

	mine->exceptions++;
	mine->cause = csr_read("scause");
	mine->tval = csr_read("stval");
	/* Nothing to repair: go on behind it. */
	csr_write("sepc", pc + ((*(unsigned short *)pc & 3) == 3 ? 4 : 2));
}

void calls_trapped(void)
{
	struct trap_counts *mine = &counts[self()];

	switch (csr_read("scause")) {
	case INTERRUPT | SOFT:
		asm volatile("csrc sip, %0" : : "r"(SIE_SSIE));
		mine->ipis++;
		break;
	case INTERRUPT | TIMER:
		csr_write(STIMECMP, NEVER);
		mine->timers++;
		break;
	case INTERRUPT | EXTERNAL:
		*(volatile uint64_t *)HVIP_REGISTER = 0;
		mine->externals++;
		break;
	default:
		exception(mine);
	}
}

void begin_traps(void)
{
	csr_write(STIMECMP, NEVER);
	csr_write("sie", SIE_SSIE | SIE_STIE | SIE_SEIE);
	asm volatile("csrs sstatus, %0" : : "r"(SSTATUS_SIE));
}

/* Without interrupts in between: WFI ends with one that is pending too. */
void wait_until(volatile unsigned long *count, unsigned long value)
{
	for (;;) {
		asm volatile("csrc sstatus, %0" : : "r"(SSTATUS_SIE));
		if (*count >= value)
			break;
		asm volatile("wfi" : : : "memory");
		asm volatile("csrs sstatus, %0" : : "r"(SSTATUS_SIE));
	}
	asm volatile("csrs sstatus, %0" : : "r"(SSTATUS_SIE));
}

static unsigned long hart_call(unsigned long function, unsigned long a0,
			       unsigned long a1, unsigned long a2)
{
	return sbi_call(COVE_EID_HSM, function, a0, a1, a2).error;
}

void check_timer(void)
{
	unsigned long start;

	/* On a busy host the timer may come before it is read back. */
	asm volatile("csrc sstatus, %0" : : "r"(SSTATUS_SIE));
	start = csr_read("time");
	check("set_timer", sbi_call(COVE_EID_TIME, COVE_TIME_SET_TIMER,
				    start + TICKS, 0, 0).error, 0);
	check("stimecmp", csr_read(STIMECMP), start + TICKS);
	asm volatile("csrs sstatus, %0" : : "r"(SSTATUS_SIE));
	wait_until(&counts[0].timers, 1);
	check("the timer is early", csr_read("time") < start + TICKS, 0);
	/* Taken before the call, it would wake nobody: pending is enough. */
	asm volatile("csrc sstatus, %0" : : "r"(SSTATUS_SIE));
	start = csr_read("time");
	csr_write(STIMECMP, start + TICKS);
	check("hart_suspend", hart_call(COVE_HSM_HART_SUSPEND, 0, 0, 0), 0);
	asm volatile("csrs sstatus, %0" : : "r"(SSTATUS_SIE));
	wait_until(&counts[0].timers, 2);
	check("the timer behind suspend is early",
	      csr_read("time") < start + TICKS, 0);
	check("timers", counts[0].timers, 2);
	check("hart_suspend of no type",
	      hart_call(COVE_HSM_HART_SUSPEND, 1, 0, 0), COVE_ERR_INVALID_PARAM);
	check("hart_suspend of a platform",
	      hart_call(COVE_HSM_HART_SUSPEND, 0x10000000, 0, 0),
	      COVE_ERR_NOT_SUPPORTED);
}

/* What the second vCPU does: it counts interrupts until it is to stop. */
void second_main(unsigned long vcpu, unsigned long arg)
{
	second_arg = arg;
	begin_traps();
	(void)vcpu;
	begun++;
	while (!stop_second)
		shared_word++;
	for (;;)
		hart_call(COVE_HSM_HART_STOP, 0, 0, 0);
}

static long ipi(unsigned long mask, unsigned long base)
{
	return sbi_call(COVE_EID_IPI, COVE_IPI_SEND_IPI, mask, base, 0).error;
}

static unsigned long status(unsigned long id)
{
	return sbi_call(COVE_EID_HSM, COVE_HSM_HART_GET_STATUS, id, 0, 0).value;
}

static void start_second(unsigned long arg)
{
	unsigned long wanted = begun + 1;

	stop_second = 0;
	check("hart_start", hart_call(COVE_HSM_HART_START, 1,
				      (unsigned long)second_entry, arg), 0);
	while (begun < wanted)
		;
	check("the argument of hart_start", second_arg, arg);
	check("hart_get_status of one that runs", status(1), COVE_HSM_STARTED);
}

static void end_second(void)
{
	stop_second = 1;
	while (status(1) != COVE_HSM_STOPPED)
		;
}

static void check_own_calls(unsigned long vcpus)
{
	unsigned long ipis = counts[0].ipis;

	check("IPI to itself", ipi(1, 0), 0);
	check("IPIs to itself", counts[0].ipis, ipis + 1);
	check("IPI to none", ipi(0, 0), 0);
	check("IPI to one that is not there", ipi(1, vcpus),
	      COVE_ERR_INVALID_PARAM);
	check("remote_fence_i of itself",
	      sbi_call(COVE_EID_RFENCE, COVE_RFENCE_REMOTE_FENCE_I, 1, 0,
		       0).error, 0);
	check("hfence of a guest",
	      sbi_call(COVE_EID_RFENCE, 3, 1, 0, 0).error,
	      COVE_ERR_NOT_SUPPORTED);
	check("hart_start of one that is not there",
	      hart_call(COVE_HSM_HART_START, vcpus,
			(unsigned long)second_entry, 0), COVE_ERR_INVALID_PARAM);
	check("hart_start of itself",
	      hart_call(COVE_HSM_HART_START, 0, (unsigned long)second_entry, 0),
	      COVE_ERR_ALREADY_AVAILABLE);
	check("hart_get_status of one that is not there",
	      hart_call(COVE_HSM_HART_GET_STATUS, vcpus, 0, 0),
	      COVE_ERR_INVALID_PARAM);
}

static void check_second(void)
{
	unsigned long i;

	check("hart_get_status before hart_start", status(1), COVE_HSM_STOPPED);
	check("hart_start at no memory",
	      hart_call(COVE_HSM_HART_START, 1, 0x40000000, 0),
	      COVE_ERR_INVALID_ADDRESS);
	start_second(77);
	for (i = 1; i <= ROUNDS; i++) {
		check("IPI", ipi(2, 0), 0);
		while (counts[1].ipis < i)
			;
	}
	check("IPIs", counts[1].ipis, ROUNDS);
	for (i = 0; i < ROUNDS; i++)
		check("remote_sfence_vma",
		      sbi_call(COVE_EID_RFENCE, COVE_RFENCE_REMOTE_SFENCE_VMA,
			       0, ~0UL, 0).error, 0);
	end_second();
	start_second(78);
	end_second();
}

void check_harts(unsigned long vcpus)
{
	check_own_calls(vcpus);
	if (vcpus > 1)
		check_second();
}
