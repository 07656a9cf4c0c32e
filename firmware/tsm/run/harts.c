// SPDX-License-Identifier: BSD-2-Clause
/*
 * What one vCPU does to others: start and stop them, interrupt them, fence
 * them. The TSM never interrupts a hart; the host is told which vCPUs are
 * wanted, and brings those that run off their harts and wakes those that wait.
 */
#include "arch/csr.h"
#include "run/run.h"

#define SUSPEND_RETENTIVE	0
#define SUSPEND_NON_RETENTIVE	0x80000000UL
/* Types that the SBI specification leaves to platforms */
#define SUSPEND_PLATFORM	0x10000000UL
#define SUSPEND_TYPE		0x7fffffffUL
#define INSTRUCTION_WFI		0x10500073
#define ALL_HARTS		(~0UL)

static u64 bit(u32 id)
{
	return 1UL << id;
}

/* vCPUs that exist, by bit; fixed since finalize. */
static u64 all_vcpus(const struct tvm *tvm)
{
	u64 mask = 0;
	u32 id;

	for (id = 0; id < TVM_MAX_VCPUS; id++)
		if (tvm->vcpu[id])
			mask |= bit(id);
	return mask;
}

/* @return COVE_ERR_INVALID_PARAM if a hart is named that does not exist */
static s64 named_vcpus(const struct tvm *tvm, u64 mask, u64 base, u64 *named)
{
	u64 all = all_vcpus(tvm);

	if (base == ALL_HARTS) {
		*named = all;
		return COVE_SUCCESS;
	}
	if (base >= TVM_MAX_VCPUS || (mask && mask << base >> base != mask))
		return mask ? COVE_ERR_INVALID_PARAM : COVE_SUCCESS;
	*named = mask << base;
	return *named & ~all ? COVE_ERR_INVALID_PARAM : COVE_SUCCESS;
}

static bool is_on(const struct vcpu *vcpu)
{
	return vcpu->state == VCPU_RUNNABLE || vcpu->state == VCPU_RUNNING;
}

static void interrupt_all(struct tvm *tvm, u64 vcpus)
{
	struct vcpu *vcpu;
	u32 id;

	for (id = 0; id < TVM_MAX_VCPUS; id++) {
		vcpu = vcpus & bit(id) ? vcpu_find(tvm, id) : NULL;
		if (vcpu)
			__atomic_store_n(&vcpu->ipi, 1, __ATOMIC_RELEASE);
	}
}

enum after_trap run_send_ipi(struct run *run, u64 function)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 self = bit(run->vcpu->id), named = 0;
	s64 error;

	if (function != COVE_IPI_SEND_IPI)
		return run_status(guest, COVE_ERR_NOT_SUPPORTED);
	error = named_vcpus(run->tvm, guest->gpr[10], guest->gpr[11], &named);
	if (error)
		return run_status(guest, error);
	interrupt_all(run->tvm, named);
	run_status(guest, COVE_SUCCESS);
	named &= ~self;
	/* Its own interrupt it gets on the way back. */
	return named ? run_tell(run, COVE_EID_IPI, COVE_IPI_SEND_IPI, named) :
		       STAY;
}

/* vCPUs of the mask that are on a hart, and in which of their runs. */
static u64 note_runners(struct run *run, u64 vcpus)
{
	const struct vcpu *vcpu;
	u64 running = 0;
	u32 id;

	tvm_relock(run->tvm);
	for (id = 0; id < TVM_MAX_VCPUS; id++) {
		vcpu = vcpus & bit(id) ? vcpu_find(run->tvm, id) : NULL;
		if (!vcpu || vcpu->state != VCPU_RUNNING)
			continue;
		running |= bit(id);
		run->vcpu->pending.runs[id] = vcpu->runs;
	}
	tvm_unlock(run->tvm);
	return running;
}

static enum after_trap wait_for_fences(struct run *run, u64 vcpus)
{
	run->vcpu->pending.fence = vcpus;
	run->vcpu->reply = REPLY_RFENCE;
	return run_tell(run, COVE_EID_RFENCE, run->vcpu->context.gpr[16],
			vcpus);
}

/*
 * A vCPU forgets everything when it comes on a hart, so nothing is to be done
 * but to have those off theirs that are on one now.
 */
enum after_trap run_remote_fence(struct run *run, u64 function)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 self = bit(run->vcpu->id), named = 0;
	s64 error;

	if (function > COVE_RFENCE_REMOTE_SFENCE_VMA_ASID)
		return run_status(guest, COVE_ERR_NOT_SUPPORTED);
	error = named_vcpus(run->tvm, guest->gpr[10], guest->gpr[11], &named);
	if (error)
		return run_status(guest, error);
	if (named & self)
		run_fence_here(run);
	named = note_runners(run, named & ~self);
	if (named)
		return wait_for_fences(run, named);
	return run_status(guest, COVE_SUCCESS);
}

bool run_fences_done(struct run *run)
{
	struct vcpu *self = run->vcpu;
	const struct vcpu *vcpu;
	u32 id;

	tvm_relock(run->tvm);
	for (id = 0; id < TVM_MAX_VCPUS; id++) {
		if (!(self->pending.fence & bit(id)))
			continue;
		vcpu = vcpu_find(run->tvm, id);
		if (vcpu->state != VCPU_RUNNING ||
		    vcpu->runs != self->pending.runs[id])
			self->pending.fence &= ~bit(id);
	}
	tvm_unlock(run->tvm);
	if (!self->pending.fence)
		run_status(&self->context, COVE_SUCCESS);
	return !self->pending.fence;
}

enum after_trap run_fences_again(struct run *run)
{
	return wait_for_fences(run, run->vcpu->pending.fence);
}

/* TVM locked. */
static s64 start(struct tvm *tvm, u64 id, u64 pc, u64 arg)
{
	struct vcpu *vcpu = vcpu_find(tvm, id);

	if (!vcpu)
		return COVE_ERR_INVALID_PARAM;
	if (tvm_region_kind(tvm, pc) != REGION_CONFIDENTIAL)
		return COVE_ERR_INVALID_ADDRESS;
	if (is_on(vcpu))
		return COVE_ERR_ALREADY_AVAILABLE;
	if (vcpu->state == VCPU_DEAD)
		return COVE_ERR_FAILED;
	vcpu_start(vcpu, pc, arg);
	return COVE_SUCCESS;
}

/* a0 = vCPU, a1 = where, a2 = its a1 */
static enum after_trap hart_start(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 id = guest->gpr[10];
	s64 error;

	tvm_relock(run->tvm);
	error = start(run->tvm, id, guest->gpr[11], guest->gpr[12]);
	tvm_unlock(run->tvm);
	run_status(guest, error);
	return error ? STAY : run_tell(run, COVE_EID_HSM, COVE_HSM_HART_START,
				       id);
}

static enum after_trap hart_stop(struct run *run)
{
	run->stop = true;
	return run_tell(run, COVE_EID_HSM, COVE_HSM_HART_STOP, 0);
}

static enum after_trap hart_status(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	const struct vcpu *vcpu;
	u64 value = COVE_HSM_STOPPED;

	tvm_relock(run->tvm);
	vcpu = vcpu_find(run->tvm, guest->gpr[10]);
	if (vcpu && is_on(vcpu))
		value = vcpu->suspended ? COVE_HSM_SUSPENDED :
					  COVE_HSM_STARTED;
	tvm_unlock(run->tvm);
	if (!vcpu)
		return run_status(guest, COVE_ERR_INVALID_PARAM);
	return run_answer(guest, COVE_SUCCESS, value);
}

/* It waits as with WFI; only what it finds afterwards may be another place. */
static enum after_trap suspend(struct run *run)
{
	run->vcpu->suspended = true;
	return run_wait(run, INSTRUCTION_WFI);
}

/* Its registers are gone, as the specification has it; its timer is not. */
static void resume_elsewhere(struct guest_context *guest, u32 id)
{
	u64 pc = guest->gpr[11], arg = guest->gpr[12];

	memset(guest->gpr, 0, sizeof(guest->gpr));
	guest->vsatp = 0;
	guest->vsstatus &= ~(u64)SSTATUS_SIE;
	guest->sepc = pc;
	guest->gpr[10] = id;
	guest->gpr[11] = arg;
}

/* a0 = type, a1 = where to go on, a2 = a1 there */
static enum after_trap hart_suspend(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 type = guest->gpr[10];

	if (type == SUSPEND_RETENTIVE) {
		run_status(guest, COVE_SUCCESS);
		return suspend(run);
	}
	if (type == SUSPEND_NON_RETENTIVE) {
		if (run_region_kind(run, guest->gpr[11]) != REGION_CONFIDENTIAL)
			return run_status(guest, COVE_ERR_INVALID_ADDRESS);
		resume_elsewhere(guest, run->vcpu->id);
		return suspend(run);
	}
	if (type >> 32 || (type & SUSPEND_TYPE) < SUSPEND_PLATFORM)
		return run_status(guest, COVE_ERR_INVALID_PARAM);
	return run_status(guest, COVE_ERR_NOT_SUPPORTED);
}

enum after_trap run_hart_state(struct run *run, u64 function)
{
	switch (function) {
	case COVE_HSM_HART_START:
		return hart_start(run);
	case COVE_HSM_HART_STOP:
		return hart_stop(run);
	case COVE_HSM_HART_GET_STATUS:
		return hart_status(run);
	case COVE_HSM_HART_SUSPEND:
		return hart_suspend(run);
	default:
		return run_status(&run->vcpu->context, COVE_ERR_NOT_SUPPORTED);
	}
}
