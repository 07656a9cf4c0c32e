// SPDX-License-Identifier: BSD-2-Clause
/*
 * What each trap of a guest means (cove.md 4.1 and 4.2). The host learns the
 * cause and what it needs to help; all else stays here.
 */
#include "arch/csr.h"
#include "run/run.h"
#include "trace/trace.h"

#define INSTRUCTION_WFI		0x10500073

#define VSSTATUS_SIE		SSTATUS_SIE
#define VSSTATUS_SPIE		SSTATUS_SPIE
#define VSSTATUS_SPP		SSTATUS_SPP

enum after_trap run_leave(struct run *run, u64 scause, u64 stval)
{
	run->answer = (struct answer){
		.cause_valid = true,
		.scause = scause,
		.stval = stval,
	};
	return LEAVE;
}

enum after_trap run_leave_dead(struct run *run, u64 scause, u64 stval)
{
	run_leave(run, scause, stval);
	run->answer.value = 1;
	return LEAVE;
}

static enum after_trap fatal(struct run *run)
{
	const struct guest_context *guest = &run->vcpu->context;

	tsm_print("tvm 0x%lx vcpu %u: fatal trap: scause=0x%lx sepc=0x%lx "
		  "stval=0x%lx htval=0x%lx", run->tvm->id, run->vcpu->id,
		  guest->scause, guest->sepc, guest->stval, guest->htval);
	return run_leave_dead(run, guest->scause, 0);
}

/* The host may put a page where the TVM has memory, and nowhere else. */
static enum after_trap guest_page_fault(struct run *run)
{
	const struct guest_context *guest = &run->vcpu->context;
	u64 gpa = guest->htval << 2 | (guest->stval & 3);

	nacl_put_fault(run->nacl, gpa);
	if (!tvm_covers(run->tvm, gpa, 1))
		return fatal(run);
	return run_leave(run, guest->scause, 0);
}

/* Let the guest's own kernel have the trap, as the hart would have done. */
static enum after_trap inject_illegal(struct guest_context *guest)
{
	u64 vsstatus = guest->vsstatus;

	vsstatus &= ~(u64)(VSSTATUS_SPP | VSSTATUS_SPIE | VSSTATUS_SIE);
	vsstatus |= guest->supervisor ? VSSTATUS_SPP : 0;
	vsstatus |= guest->vsstatus & VSSTATUS_SIE ? VSSTATUS_SPIE : 0;
	guest->vsstatus = vsstatus;
	guest->vsepc = guest->sepc;
	guest->vscause = CAUSE_ILLEGAL;
	guest->vstval = guest->stval;
	guest->sepc = guest->vstvec & ~3UL;
	guest->supervisor = true;
	return STAY;
}

/*
 * The hart gives the instruction in stval. One that left it 0 would have its
 * WFI turned into an illegal instruction: wrong, but safe.
 */
static enum after_trap virtual_instruction(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;

	if (!guest->supervisor || guest->stval != INSTRUCTION_WFI)
		return inject_illegal(guest);
	guest->sepc += 4;
	return run_leave(run, guest->scause, guest->stval);
}

enum after_trap run_handle_trap(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;

	/* The host takes its interrupt as soon as it has its hart back. */
	if (guest->scause & CAUSE_INTERRUPT)
		return run_leave(run, guest->scause, 0);
	switch (guest->scause) {
	case CAUSE_ECALL_VS:
		return run_guest_ecall(run);
	case CAUSE_FETCH_GUEST_PAGE:
	case CAUSE_LOAD_GUEST_PAGE:
	case CAUSE_STORE_GUEST_PAGE:
		return guest_page_fault(run);
	case CAUSE_VIRTUAL:
		return virtual_instruction(run);
	case CAUSE_ILLEGAL:
		return inject_illegal(guest);
	default:
		return fatal(run);
	}
}
