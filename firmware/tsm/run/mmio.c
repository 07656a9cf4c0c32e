// SPDX-License-Identifier: BSD-2-Clause
/*
 * Accesses to MMIO regions. The host learns the address, the kind of access
 * and the one value that it writes or is to give; it always comes as if in a0,
 * whichever register the guest has used (cove.md 4.4).
 */
#include "arch/csr.h"
#include "run/run.h"

/* Let the guest's own kernel have the trap, as the hart would have done. */
enum after_trap run_inject(struct guest_context *guest, u64 cause, u64 tval)
{
	u64 vsstatus = guest->vsstatus;

	vsstatus &= ~(u64)(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);
	vsstatus |= guest->supervisor ? SSTATUS_SPP : 0;
	vsstatus |= guest->vsstatus & SSTATUS_SIE ? SSTATUS_SPIE : 0;
	guest->vsstatus = vsstatus;
	guest->vsepc = guest->sepc;
	guest->vscause = cause;
	guest->vstval = tval;
	guest->sepc = guest->vstvec & ~3UL;
	guest->supervisor = true;
	return STAY;
}

static enum after_trap misaligned(struct guest_context *guest,
				  const struct access *access)
{
	return run_inject(guest, access->store ? CAUSE_STORE_MISALIGNED :
						 CAUSE_LOAD_MISALIGNED,
			  guest->stval);
}

static enum after_trap emulate(struct run *run, u64 gpa,
			       const struct access *access)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 value = 0;

	if (access->store)
		value = access_truncate(access, guest->gpr[access->reg]);
	nacl_put_access(run->nacl, gpa, access_transformed(access), value);
	if (access->store) {
		guest->sepc += access->length;
	} else {
		run->vcpu->pending.access = *access;
		run->vcpu->reply = REPLY_LOAD;
	}
	return run_leave(run, guest->scause, gpa & 3);
}

enum after_trap run_mmio(struct run *run, u64 gpa)
{
	struct guest_context *guest = &run->vcpu->context;
	bool store = guest->scause == CAUSE_STORE_GUEST_PAGE;
	struct access access;
	u32 instruction;

	/* A page table there: it is not the instruction that reads it. */
	if (guest->htinst && !(guest->htinst & 1))
		return run_fatal(run);
	/* Unreadable by now, it faults again and the guest sees to it. */
	if (!arch_guest_fetch(guest, &instruction))
		return STAY;
	if (!decode_access(instruction, &access))
		return run_inject(guest, CAUSE_ILLEGAL, instruction);
	/* Another vCPU has changed the instruction: it is executed anew. */
	if (access.store != store)
		return STAY;
	if (gpa & (access.size - 1))
		return misaligned(guest, &access);
	return emulate(run, gpa, &access);
}

void run_take_load(struct run *run)
{
	struct vcpu *vcpu = run->vcpu;
	struct guest_context *guest = &vcpu->context;
	const struct access *access = &vcpu->pending.access;

	if (access->reg)
		guest->gpr[access->reg] =
			access_extend(access, nacl_take_value(run->nacl));
	guest->sepc += access->length;
}
