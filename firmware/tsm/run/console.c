// SPDX-License-Identifier: BSD-2-Clause
/*
 * The debug console. A buffer that the TVM shares with the host is the host's
 * to read and write; of one in the TVM's own memory the TSM carries the bytes,
 * some at a time, through the shared memory (firmware/abi/rules.md).
 */
#include "arch/csr.h"
#include "run/run.h"

#define A0		(1 << 0)
#define A1		(1 << 1)
#define A2		(1 << 2)
#define A6		(1 << 6)
#define A7		(1 << 7)

/* The buffer is the host's own memory: it gets the call as it is. */
static enum after_trap forward_shared(struct run *run, u64 size)
{
	run->vcpu->pending.size = size;
	return run_forward(run, A0 | A1 | A2 | A6 | A7, REPLY_A0_A1);
}

/* Bytes that one exit carries: within one page of the guest. */
static u64 carried(u64 gpa, u64 size)
{
	u64 rest = PAGE_SIZE - (gpa & (PAGE_SIZE - 1));

	return min_u64(min_u64(size, rest), COVE_NACL_CONSOLE_SIZE);
}

static enum after_trap carry(struct run *run, u64 gpa, u64 size, bool write)
{
	struct vcpu *vcpu = run->vcpu;
	u64 cause = write ? CAUSE_LOAD_GUEST_PAGE : CAUSE_STORE_GUEST_PAGE;
	u64 page = run_guest_page(run, gpa);

	/* Never touched before: the host populates it, the call comes again. */
	if (!page)
		return run_demand(run, gpa, cause);
	vcpu->pending.gpa = gpa;
	vcpu->pending.size = carried(gpa, size);
	if (write)
		nacl_put_console(run->nacl, phys_to_virt(page) +
				 (gpa & (PAGE_SIZE - 1)), vcpu->pending.size);
	vcpu->reply = write ? REPLY_WRITTEN : REPLY_READ;
	nacl_put_ecall(run->nacl, &vcpu->context, A6 | A7);
	nacl_put_carried(run->nacl, vcpu->pending.size);
	return run_leave(run, CAUSE_ECALL_VS, 0);
}

/* a0 = bytes, a1 and a2 = GPA */
static enum after_trap transfer(struct run *run, bool write)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 size = guest->gpr[10], gpa = guest->gpr[11];

	if (guest->gpr[12] || !range_inside(gpa, size, 0, GSTAGE_END))
		return run_status(guest, COVE_ERR_INVALID_PARAM);
	if (!size)
		return run_status(guest, COVE_SUCCESS);
	if (run_covers(run, gpa, size, REGION_SHARED))
		return forward_shared(run, size);
	if (run_covers(run, gpa, size, REGION_CONFIDENTIAL))
		return carry(run, gpa, size, write);
	return run_status(guest, COVE_ERR_INVALID_PARAM);
}

enum after_trap run_console(struct run *run, u64 function)
{
	switch (function) {
	case COVE_DBCN_CONSOLE_WRITE:
		return transfer(run, true);
	case COVE_DBCN_CONSOLE_READ:
		return transfer(run, false);
	case COVE_DBCN_CONSOLE_WRITE_BYTE:
		return run_forward(run, A0 | A6 | A7, REPLY_A0_A1);
	default:
		return run_status(&run->vcpu->context, COVE_ERR_NOT_SUPPORTED);
	}
}

/* The host may claim what it likes, but no more than it was given. */
void run_take_console(struct run *run, bool read)
{
	struct vcpu *vcpu = run->vcpu;
	struct guest_context *guest = &vcpu->context;
	u64 count = min_u64(nacl_take_count(run->nacl), vcpu->pending.size);
	u64 page;

	guest->gpr[10] = nacl_take_value(run->nacl);
	guest->gpr[11] = guest->gpr[10] ? 0 : count;
	if (!read || guest->gpr[10])
		return;
	page = run_guest_page(run, vcpu->pending.gpa);
	/* Blocked meanwhile: what was read has nowhere to go. */
	if (!page) {
		guest->gpr[10] = (u64)COVE_ERR_FAILED;
		guest->gpr[11] = 0;
		return;
	}
	nacl_take_console(run->nacl, phys_to_virt(page) +
			  (vcpu->pending.gpa & (PAGE_SIZE - 1)), count);
}
