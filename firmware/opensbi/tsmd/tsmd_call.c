/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * TEECALL and TEERET: calls of the host to the TSM, calls of the TSM to
 * M-mode. Who may call what follows from the domain that is current on the
 * hart, never from an argument.
 */

#include "tsmd.h"

#define ECALL_SIZE	4

static struct sbi_trap_context *answer(struct sbi_trap_context *tcntx,
				       unsigned long error, unsigned long value)
{
	tcntx->regs.a0 = error;
	tcntx->regs.a1 = value;
	tcntx->regs.mepc += ECALL_SIZE;
	return tcntx;
}

static bool same_call(const struct sbi_trap_regs *a,
		      const struct sbi_trap_regs *b)
{
	return a->a0 == b->a0 && a->a1 == b->a1 && a->a2 == b->a2 &&
	       a->a3 == b->a3 && a->a4 == b->a4 && a->a5 == b->a5 &&
	       a->a6 == b->a6 && a->a7 == b->a7;
}

struct sbi_trap_context *tsmd_teecall(struct tsmd_hart *hart,
				      struct sbi_trap_context *tcntx)
{
	const struct sbi_trap_regs *regs = &tcntx->regs;
	struct sbi_trap_context *next;
	long rc = tsmd_turn_to(hart, tsmd_sdid_of(regs->a6));

	if (!rc)
		rc = tsmd_check_ready(hart);
	if (rc)
		return answer(tcntx, rc, 0);

	/*
	 * After an interruption the host executes the same ECALL again. Any
	 * other call means that the host gave the interrupted one up; the TSM
	 * undoes it when it sees no resume mark.
	 */
	hart->interrupted = hart->interrupted &&
			    same_call(regs, &hart->host.regs);
	next = tsmd_enter(hart, regs);
	tsmd_event(hart, hart->interrupted ? TEE_EVENT_TEERESUME :
					     TEE_EVENT_TEECALL,
		   0, 0, hart->host.regs.mepc);
	hart->interrupted = false;
	return next;
}

static struct sbi_trap_context *ret(struct tsmd_hart *hart,
				    const struct sbi_trap_regs *tsm)
{
	bool cause = tsm->a4 & COVE_RET_CAUSE_VALID;
	unsigned long scause = tsm->a2, stval = tsm->a3;

	hart->host.regs.a0 = tsm->a0;
	hart->host.regs.a1 = tsm->a1;
	hart->host.regs.mepc += ECALL_SIZE;
	tsmd_event(hart, TEE_EVENT_TEERET, tsm->a0, tsm->a1,
		   cause ? scause : 0);

	if (cause) {
		/* tsmd_leave() writes the host's CSRs from here. */
		hart->csrs.scause = scause;
		hart->csrs.stval = stval;
	}
	return tsmd_leave(hart);
}

static struct sbi_trap_context *ret_interrupted(struct tsmd_hart *hart)
{
	/* The host's frame still points at its ECALL with its arguments. */
	hart->interrupted = true;
	tsmd_event(hart, TEE_EVENT_TEERET_INTERRUPTED, 0, 0, 0);
	return tsmd_leave(hart);
}

static struct sbi_trap_context *ready(struct tsmd_hart *hart,
				      struct sbi_trap_context *tcntx)
{
	struct tsmd_domain *domain = hart->domain;
	unsigned long entry = tcntx->regs.a0;

	if (!hart->booting)
		return answer(tcntx, COVE_ERR_DENIED, 0);
	if (entry < domain->tsm.start || entry >= domain->tsm.end ||
	    tcntx->regs.a1 != TEECALL_ABI_VERSION) {
		if (tsmd_die(hart))
			tsmd_bury(hart, "READY with a wrong entry or ABI version");
	} else if (tsmd_pmp_set_guard(hart, tcntx->regs.a2, tcntx->regs.a3)) {
		if (tsmd_die(hart))
			tsmd_bury(hart, "READY with wrong guard pages");
	} else {
		domain->entry = entry;
		domain->state = TSMD_READY;
		sbi_printf("tsmd: TSM domain ready: SDID %u, entry 0x%lx\n",
			   domain->sdid, entry);
	}
	tsmd_event(hart, TEE_EVENT_TSM_READY, 0, entry, 0);
	return tsmd_boot_next(hart);
}

/** The TSM may have died with a guest's FP and vector registers in the hart. */
static void scrub_registers(void)
{
	unsigned long status = csr_read(CSR_MSTATUS);

	if (misa_extension('D')) {
		csr_set(CSR_MSTATUS, MSTATUS_FS);
		tsmd_zero_fp();
	}
	if (misa_extension('V')) {
		csr_set(CSR_MSTATUS, MSTATUS_VS);
		tsmd_zero_v();
	}
	csr_write(CSR_MSTATUS, status);
}

struct sbi_trap_context *tsmd_give_up(struct tsmd_hart *hart)
{
	scrub_registers();
	if (hart->booting)
		return tsmd_boot_next(hart);
	hart->host.regs.a0 = SBI_ERR_FAILED;
	hart->host.regs.a1 = 0;
	hart->host.regs.mepc += ECALL_SIZE;
	tsmd_event(hart, TEE_EVENT_TEERET, SBI_ERR_FAILED, 0, 0);
	return tsmd_leave(hart);
}

/*
 * Every report begins a line of its own: the host may be in the middle of one.
 * Where the TSM was is what the harness unwinds its stack from.
 */
static void print_place(const char *what, const struct sbi_trap_regs *tsm)
{
	sbi_printf("tsmd: TSM %s at: mepc=0x%lx ra=0x%lx sp=0x%lx\n", what,
		   tsm->mepc, tsm->ra, tsm->sp);
}

static struct sbi_trap_context *panic(struct tsmd_hart *hart,
				      struct sbi_trap_context *tcntx)
{
	const struct tsmd_range *region = &hart->domain->tsm;
	const struct sbi_trap_regs *tsm = &tcntx->regs;
	unsigned long at = tsm->a0, length = tsm->a1;
	char text[96];

	if (!tsmd_die(hart))
		return tsmd_tsm_left(hart, tcntx);
	tsmd_event(hart, TEE_EVENT_TSM_PANIC, 0, at, length);
	if (length > sizeof(text) - 1)
		length = sizeof(text) - 1;
	/* Only from the TSM's own region: M-mode lends its eyes to nobody. */
	if (at < region->start || at >= region->end ||
	    region->end - at < length)
		length = 0;
	sbi_memcpy(text, (const void *)at, length);
	text[length] = '\0';
	sbi_printf("\ntsmd: TSM panic: %s\n", text);
	print_place("panic", tsm);
	tsmd_bury(hart, "panic");
	return tsmd_give_up(hart);
}

/**
 * A call that may have waited for other harts, and served this hart's IPIs
 * meanwhile. Among them may have been the one that says the TSM has died,
 * which comes once: back in the TSM, the hart might wait for ever for a lock
 * of a hart that has left.
 */
static struct sbi_trap_context *answer_waited(struct tsmd_hart *hart,
					      struct sbi_trap_context *tcntx,
					      long rc, unsigned long value)
{
	if (tsmd_is_dead(hart))
		return tsmd_tsm_left(hart, tcntx);
	return answer(tcntx, rc, value);
}

struct sbi_trap_context *tsmd_tsm_call(struct tsmd_hart *hart,
				       struct sbi_trap_context *tcntx)
{
	const struct sbi_trap_regs *regs = &tcntx->regs;
	unsigned long value = 0;
	long rc;

	if (tsmd_is_dead(hart))
		return tsmd_tsm_left(hart, tcntx);
	if (regs->a7 != COVE_EID_TSMD)
		return answer(tcntx, SBI_ERR_NOT_SUPPORTED, 0);

	switch (regs->a6) {
	case COVE_TSMD_RET:
		return ret(hart, regs);
	case COVE_TSMD_RET_INTERRUPTED:
		return ret_interrupted(hart);
	case COVE_TSMD_READY:
		return ready(hart, tcntx);
	case COVE_TSMD_PANIC:
		return panic(hart, tcntx);
	case COVE_TSMD_ASSIGN:
		rc = tsmd_memory_assign(hart, regs->a0, regs->a1);
		return answer_waited(hart, tcntx, rc, 0);
	case COVE_TSMD_RELEASE:
		rc = tsmd_memory_release(hart, regs->a0, regs->a1);
		return answer_waited(hart, tcntx, rc, 0);
	case COVE_TSMD_INFO:
		rc = tsmd_memory_info(hart, regs->a0, &value);
		return answer_waited(hart, tcntx, rc, value);
	}
	return answer(tcntx, SBI_ERR_NOT_SUPPORTED, 0);
}

struct sbi_trap_context *tsmd_tsm_fault(struct tsmd_hart *hart,
					struct sbi_trap_context *tcntx)
{
	if (!tsmd_die(hart))
		return tsmd_tsm_left(hart, tcntx);
	tsmd_event(hart, TEE_EVENT_TSM_FAULT, tcntx->trap.tval,
		   tcntx->trap.cause, tcntx->regs.mepc);
	sbi_printf("\ntsmd: TSM fault: mcause=0x%lx mtval=0x%lx\n",
		   tcntx->trap.cause, tcntx->trap.tval);
	print_place("fault", &tcntx->regs);
	tsmd_bury(hart, tsmd_pmp_is_guard(hart, tcntx->trap.tval) ?
			"stack overflow" : "fault");
	return tsmd_give_up(hart);
}

struct sbi_trap_context *tsmd_tsm_hang(struct tsmd_hart *hart,
				       struct sbi_trap_context *tcntx)
{
	/* Harts that wait for each other may see their time end at once. */
	if (!tsmd_die(hart))
		return tsmd_tsm_left(hart, tcntx);
	tsmd_event(hart, TEE_EVENT_TSM_HANG, 0, tcntx->trap.cause,
		   tcntx->regs.mepc);
	sbi_printf("\ntsmd: TSM hang: an interrupt of the host waits\n");
	print_place("hang", &tcntx->regs);
	tsmd_bury(hart, "watchdog");
	return tsmd_give_up(hart);
}

struct sbi_trap_context *tsmd_tsm_left(struct tsmd_hart *hart,
				       struct sbi_trap_context *tcntx)
{
	sbi_printf("\n");
	print_place("left", &tcntx->regs);
	return tsmd_give_up(hart);
}
