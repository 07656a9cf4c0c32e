// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory of the guest as the TSM reads and writes it for the guest's calls. A
 * page that is mapped when it is looked up stays the TVM's until this vCPU
 * leaves its hart: nothing is removed that a running vCPU may still reach.
 */
#include "arch/csr.h"
#include "run/run.h"

u64 run_guest_page(struct run *run, u64 gpa)
{
	struct leaf leaf;

	tvm_relock(run->tvm);
	leaf = gstage_find(run->tvm->root, gpa);
	tvm_unlock(run->tvm);
	return leaf.state == LEAF_MAPPED && !leaf.shared ? leaf.page : 0;
}

enum region_kind run_region_kind(struct run *run, u64 gpa)
{
	enum region_kind kind;

	tvm_relock(run->tvm);
	kind = tvm_region_kind(run->tvm, gpa);
	tvm_unlock(run->tvm);
	return kind;
}

bool run_covers(struct run *run, u64 gpa, u64 size, enum region_kind kind)
{
	bool covers;

	tvm_relock(run->tvm);
	covers = tvm_covers(run->tvm, gpa, size, kind);
	tvm_unlock(run->tvm);
	return covers;
}

enum after_trap run_demand(struct run *run, u64 gpa, u64 cause)
{
	run->vcpu->context.sepc -= ECALL_SIZE;
	nacl_put_fault(run->nacl, gpa);
	return run_leave(run, cause, 0);
}
