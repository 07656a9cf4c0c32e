// SPDX-License-Identifier: BSD-2-Clause
/*
 * What each trap of a guest means (cove.md 4.1 and 4.2). The host learns the
 * cause and what it needs to help; all else stays here.
 */
#include "arch/csr.h"
#include "run/run.h"

#define INSTRUCTION_WFI		0x10500073

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

enum after_trap run_fatal(struct run *run)
{
	const struct guest_context *guest = &run->vcpu->context;

	tsm_print("tvm 0x%lx vcpu %u: fatal trap: scause=0x%lx sepc=0x%lx "
		  "stval=0x%lx htval=0x%lx", run->tvm->id, run->vcpu->id,
		  guest->scause, guest->sepc, guest->stval, guest->htval);
	return run_leave_dead(run, guest->scause, 0);
}

/* The tables allow the access by now: another hart has just mapped the page. */
static bool allows(const struct leaf *leaf, u64 cause)
{
	return leaf->state == LEAF_MAPPED &&
	       !(leaf->shared && cause == CAUSE_FETCH_GUEST_PAGE);
}

/* The host may put a page where the TVM has memory, and nowhere else. */
static enum after_trap guest_page_fault(struct run *run)
{
	const struct guest_context *guest = &run->vcpu->context;
	u64 gpa = guest->htval << 2 | (guest->stval & 3);
	bool fetch = guest->scause == CAUSE_FETCH_GUEST_PAGE;
	enum region_kind kind;
	struct leaf leaf;

	tvm_relock(run->tvm);
	kind = tvm_region_kind(run->tvm, gpa);
	leaf = gstage_find(run->tvm->root, gpa);
	tvm_unlock(run->tvm);
	if (allows(&leaf, guest->scause)) {
		run_fence_here(run);
		return STAY;
	}
	if (kind == REGION_MMIO && !fetch)
		return run_mmio(run, gpa);
	if (kind == REGION_IMSIC && !fetch)
		return run_msi(run, gpa);
	nacl_put_fault(run->nacl, gpa);
	if (kind == REGION_CONFIDENTIAL || kind == REGION_SHARING ||
	    ((kind == REGION_SHARED || kind == REGION_UNSHARING) && !fetch))
		return run_leave(run, guest->scause, 0);
	return run_fatal(run);
}

/* In the order of sip: VSSIP, VSTIP, VSEIP stand one bit higher in hvip. */
static bool interrupt_waits(const struct run *run)
{
	const struct guest_context *guest = &run->vcpu->context;
	u64 pending = (guest->hvip | guest->external) >> 1;

	if (__atomic_load_n(&run->vcpu->ipi, __ATOMIC_ACQUIRE))
		pending |= HVIP_VSSIP >> 1;
	if (arch_time() + run->tvm->timedelta >= guest->vstimecmp)
		pending |= SIE_STIE;
	if (guest->vgein && arch_file_waits(guest->vgein))
		pending |= HVIP_VSEIP >> 1;
	return pending & guest->vsie;
}

enum after_trap run_wait(struct run *run, u64 instruction)
{
	if (!interrupt_waits(run))
		return run_leave(run, CAUSE_VIRTUAL, instruction);
	run->vcpu->suspended = false;
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
		return run_inject(guest, CAUSE_ILLEGAL, guest->stval);
	guest->sepc += 4;
	return run_wait(run, guest->stval);
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
		return run_inject(guest, CAUSE_ILLEGAL, guest->stval);
	default:
		return run_fatal(run);
	}
}
