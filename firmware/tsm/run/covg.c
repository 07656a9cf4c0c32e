// SPDX-License-Identifier: BSD-2-Clause
/* COVG: what a TVM asks of the TSM (cove.md 2.8). */
#include "arch/csr.h"
#include "attest/attest.h"
#include "run/run.h"

#define A0		(1 << 0)
#define A1		(1 << 1)
#define A6		(1 << 6)
#define A7		(1 << 7)
#define ALL_INTERRUPTS	(~0UL)

/* A range of pages, as all of them take it. */
static bool good_range(u64 gpa, u64 size)
{
	return size && page_aligned(gpa) && page_aligned(size) &&
	       range_inside(gpa, size, 0, GSTAGE_END);
}

/*
 * While a call of the host works on the TVM, its regions stay what they are:
 * the guest makes its call again, and its hart is the host's at any time.
 */
static bool lock_regions(struct run *run)
{
	tvm_relock(run->tvm);
	if (!tvm_is_held(run->tvm))
		return true;
	tvm_unlock(run->tvm);
	run->vcpu->context.sepc -= ECALL_SIZE;
	return false;
}

static bool room_for_regions(const struct tvm *tvm)
{
	return tvm->region_count + TVM_SPARE_REGIONS <= TVM_MAX_REGIONS;
}

/* Done, and the host is told of it. */
static enum after_trap done(struct run *run, s64 error)
{
	if (error)
		return run_status(&run->vcpu->context, error);
	run_forward(run, A0 | A1 | A6 | A7, REPLY_NONE);
	run_status(&run->vcpu->context, COVE_SUCCESS);
	return LEAVE;
}

static enum after_trap add_mmio_region(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	s64 error = COVE_ERR_FAILED;

	if (!good_range(guest->gpr[10], guest->gpr[11]))
		return run_status(guest, COVE_ERR_INVALID_ADDRESS);
	if (!lock_regions(run))
		return STAY;
	if (room_for_regions(run->tvm))
		error = tvm_add_region(run->tvm, guest->gpr[10],
				       guest->gpr[11], REGION_MMIO);
	tvm_unlock(run->tvm);
	return done(run, error);
}

static enum after_trap remove_mmio_region(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	s64 error;

	if (!good_range(guest->gpr[10], guest->gpr[11]))
		return run_status(guest, COVE_ERR_INVALID_ADDRESS);
	if (!lock_regions(run))
		return STAY;
	error = tvm_drop_mmio(run->tvm, guest->gpr[10], guest->gpr[11]);
	tvm_unlock(run->tvm);
	return done(run, error);
}

/*
 * The vCPU waits until the host has taken away what is mapped there. Nothing
 * new can be put into the range meanwhile.
 */
static enum after_trap begin_change(struct run *run, enum region_kind from,
				    enum region_kind to, enum vcpu_reply reply)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 gpa = guest->gpr[10], size = guest->gpr[11];
	s64 error = COVE_ERR_FAILED;

	if (!size || !page_aligned(size))
		return run_status(guest, COVE_ERR_INVALID_PARAM);
	if (!good_range(gpa, size))
		return run_status(guest, COVE_ERR_INVALID_ADDRESS);
	if (!lock_regions(run))
		return STAY;
	if (room_for_regions(run->tvm))
		error = tvm_change_region(run->tvm, gpa, size, from, to);
	tvm_unlock(run->tvm);
	if (error)
		return run_status(guest, error);
	run->vcpu->pending.gpa = gpa;
	run->vcpu->pending.size = size;
	run->vcpu->pending.empty = gpa;
	return run_forward(run, A0 | A1 | A6 | A7, reply);
}

static enum after_trap share_memory_region(struct run *run)
{
	return begin_change(run, REGION_CONFIDENTIAL, REGION_SHARING,
			    REPLY_SHARE);
}

static enum after_trap unshare_memory_region(struct run *run)
{
	return begin_change(run, REGION_SHARED, REGION_UNSHARING,
			    REPLY_UNSHARE);
}

static enum after_trap set_allowed(struct run *run, bool allowed)
{
	u64 id = run->vcpu->context.gpr[10];
	u64 *map = run->vcpu->allowed;

	if (id == ALL_INTERRUPTS) {
		memset(map, allowed ? 0xff : 0, sizeof(run->vcpu->allowed));
		map[0] &= ~1UL;
	} else if (!id || id > COVE_MAX_INTERRUPT_ID) {
		return run_status(&run->vcpu->context, COVE_ERR_INVALID_PARAM);
	} else if (allowed) {
		map[id / 64] |= 1UL << id % 64;
	} else {
		map[id / 64] &= ~(1UL << id % 64);
	}
	return done(run, COVE_SUCCESS);
}

static enum after_trap allow_external_interrupt(struct run *run)
{
	return set_allowed(run, true);
}

static enum after_trap deny_external_interrupt(struct run *run)
{
	return set_allowed(run, false);
}

/* One line a function; what is not here is not supported. */
static enum after_trap (*const functions[])(struct run *run) = {
	[COVE_COVG_ADD_MMIO_REGION] = add_mmio_region,
	[COVE_COVG_REMOVE_MMIO_REGION] = remove_mmio_region,
	[COVE_COVG_SHARE_MEMORY_REGION] = share_memory_region,
	[COVE_COVG_UNSHARE_MEMORY_REGION] = unshare_memory_region,
	[COVE_COVG_ALLOW_EXTERNAL_INTERRUPT] = allow_external_interrupt,
	[COVE_COVG_DENY_EXTERNAL_INTERRUPT] = deny_external_interrupt,
	[COVE_COVG_GET_ATTCAPS] = attest_get_attcaps,
	[COVE_COVG_EXTEND_MEASUREMENT] = attest_extend_measurement,
	[COVE_COVG_GET_EVIDENCE] = attest_get_evidence,
	[COVE_COVG_READ_MEASUREMENT] = attest_read_measurement,
};

enum after_trap run_covg(struct run *run, u64 function)
{
	if (function >= ARRAY_SIZE(functions) || !functions[function])
		return run_status(&run->vcpu->context, COVE_ERR_NOT_SUPPORTED);
	return functions[function](run);
}
