// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the host owes a vCPU when it runs it again. The vCPU is this hart's
 * already, but not yet on it.
 */
#include "arch/csr.h"
#include "run/run.h"

/* Entries of G-stage tables between two looks at pending interrupts */
#define ENTRIES_A_STEP	512

/*
 * Nothing is put into a range that is about to change, so what was found empty
 * stays so, and the search goes on where it was.
 */
static enum due search_empty(struct run *run)
{
	struct vcpu *vcpu = run->vcpu;
	u64 end = vcpu->pending.gpa + vcpu->pending.size;
	unsigned int entries;

	for (;;) {
		entries = ENTRIES_A_STEP;
		tvm_relock(run->tvm);
		vcpu->pending.empty = gstage_next(run->tvm->root,
						  vcpu->pending.empty, end,
						  &entries);
		tvm_unlock(run->tvm);
		if (vcpu->pending.empty == end)
			return DUE_SETTLED;
		if (entries)
			return DUE_REFUSED;
		if (arch_interrupt_pending())
			return DUE_LATER;
	}
}

/*
 * A call of the host that has begun since this vCPU came on its hart looks at
 * the regions without the lock: they stay what they are until it is done.
 */
static enum due change(struct run *run, enum region_kind from,
		       enum region_kind to)
{
	const struct vcpu *vcpu = run->vcpu;
	s64 error = COVE_SUCCESS;
	bool held;

	tvm_relock(run->tvm);
	held = tvm_is_held(run->tvm);
	if (!held)
		error = tvm_change_region(run->tvm, vcpu->pending.gpa,
					  vcpu->pending.size, from, to);
	tvm_unlock(run->tvm);
	/* Room was kept, and nobody else changes a range under way. */
	if (error)
		tsm_panic("tvm 0x%lx: a region is lost", run->tvm->id);
	return held ? DUE_BUSY : DUE_SETTLED;
}

static enum due settle_change(struct run *run, enum region_kind before,
			      enum region_kind under_way,
			      enum region_kind after)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 error = nacl_see_value(run->nacl);
	enum due due = error ? DUE_SETTLED : search_empty(run);

	if (due == DUE_SETTLED)
		due = change(run, under_way, error ? before : after);
	/* Otherwise the host's answer is still to be taken. */
	if (due == DUE_SETTLED) {
		nacl_take_value(run->nacl);
		run_status(guest, (s64)error);
	}
	return due;
}

enum due run_take_reply(struct run *run)
{
	struct vcpu *vcpu = run->vcpu;
	struct guest_context *guest = &vcpu->context;
	enum due due = DUE_SETTLED;

	switch (vcpu->reply) {
	case REPLY_NONE:
		break;
	case REPLY_A0_A1:
		guest->gpr[11] = nacl_take_count(run->nacl);
		/* fall through */
	case REPLY_A0:
		guest->gpr[10] = nacl_take_value(run->nacl);
		break;
	case REPLY_LOAD:
		run_take_load(run);
		break;
	case REPLY_WRITTEN:
	case REPLY_READ:
		run_take_console(run, vcpu->reply == REPLY_READ);
		break;
	case REPLY_SHARE:
		due = settle_change(run, REGION_CONFIDENTIAL, REGION_SHARING,
				    REGION_SHARED);
		break;
	case REPLY_UNSHARE:
		due = settle_change(run, REGION_SHARED, REGION_UNSHARING,
				    REGION_CONFIDENTIAL);
		break;
	case REPLY_RFENCE:
		if (!run_fences_done(run))
			due = DUE_AGAIN;
		break;
	}
	if (due == DUE_SETTLED)
		vcpu->reply = REPLY_NONE;
	return due;
}
