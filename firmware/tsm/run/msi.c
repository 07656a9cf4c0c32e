// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest's interrupt files while it runs. A store to the page of one is an
 * MSI (AIA 3.5): 32 bits at offset 0, or at offset 4 with the bytes the other
 * way round. Everything else there reads as zero and ignores what is written.
 */
#include "arch/csr.h"
#include "mem/files.h"
#include "run/run.h"

#define SETEIPNUM_LE	0
#define SETEIPNUM_BE	4

void run_load_file(struct run *run)
{
	/* Whoever delivers meanwhile must know which of the two holds it. */
	tvm_relock(run->tvm);
	aia_load(run->vcpu);
	tvm_unlock(run->tvm);
}

void run_put_file(struct run *run)
{
	tvm_relock(run->tvm);
	aia_put(run->vcpu);
	tvm_unlock(run->tvm);
}

/* @return false if the vCPU has no hart: the host is to run it */
static bool deliver(struct run *run, u64 gpa, u32 id)
{
	struct vcpu *vcpu;
	bool live;

	tvm_relock(run->tvm);
	vcpu = aia_find(run->tvm, gpa);
	live = vcpu->aia.live;
	/* What the file has no bit for is ignored. */
	if (id && id <= files_max_id())
		aia_deliver(vcpu, id);
	else
		live = true;
	tvm_unlock(run->tvm);
	return live;
}

static u32 swapped(u32 value)
{
	return value << 24 | (value & 0xff00) << 8 | (value >> 8 & 0xff00) |
	       value >> 24;
}

static enum after_trap store(struct run *run, u64 gpa, u32 value)
{
	u64 offset = gpa & (PAGE_SIZE - 1), page = gpa - offset;

	if (offset == SETEIPNUM_BE)
		value = swapped(value);
	else if (offset != SETEIPNUM_LE)
		return STAY;
	if (deliver(run, page, value))
		return STAY;
	nacl_put_fault(run->nacl, page);
	return run_leave(run, CAUSE_STORE_GUEST_PAGE, 0);
}

enum after_trap run_msi(struct run *run, u64 gpa)
{
	struct guest_context *guest = &run->vcpu->context;
	bool is_store = guest->scause == CAUSE_STORE_GUEST_PAGE;
	struct access access;
	u32 instruction;

	/* A page table there: it is not the instruction that reads it. */
	if (guest->htinst && !(guest->htinst & 1))
		return run_fatal(run);
	if (!arch_guest_fetch(guest, &instruction))
		return STAY;
	if (!decode_access(instruction, &access))
		return run_inject(guest, CAUSE_ILLEGAL, instruction);
	/* Another vCPU has changed the instruction: it is executed anew. */
	if (access.store != is_store)
		return STAY;
	/* AIA 3.5: only aligned accesses of 32 bits are supported. */
	if (access.size != sizeof(u32) || gpa & (sizeof(u32) - 1))
		return run_inject(guest, is_store ? CAUSE_STORE_ACCESS :
						    CAUSE_LOAD_ACCESS,
				  guest->stval);
	guest->sepc += access.length;
	if (is_store)
		return store(run, gpa, guest->gpr[access.reg]);
	if (access.reg)
		guest->gpr[access.reg] = 0;
	return STAY;
}
