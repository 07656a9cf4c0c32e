// SPDX-License-Identifier: BSD-2-Clause
/*
 * run_tvm_vcpu. A vCPU in state RUNNING belongs to its hart alone, which is
 * why the guest runs with no lock held; the TVM cannot go away because destroy
 * refuses while one of its vCPUs is running.
 */
#include "arch/csr.h"
#include "run/run.h"
#include "trace/trace.h"

static bool may_run(const struct tvm *tvm, const struct vcpu *vcpu)
{
	return vcpu && vcpu->state == VCPU_RUNNABLE && !tvm->down;
}

/* The guest's clock starts at 0 when its first vCPU does. */
static void start_clock(struct tvm *tvm)
{
	if (tvm->clock_set)
		return;
	tvm->timedelta = -arch_time();
	tvm->clock_set = true;
}

static s64 run_begin(struct run *run, u64 id, u64 vcpu_id)
{
	s64 error = tvm_lock_in_state(id, COVE_TVM_STATE_RUNNABLE, &run->tvm);

	if (error)
		return error;
	run->vcpu = vcpu_find(run->tvm, vcpu_id);
	if (may_run(run->tvm, run->vcpu) &&
	    (!run->tvm->aia.on || aia_may_run(run->vcpu, arch_hart()))) {
		run->vcpu->state = VCPU_RUNNING;
		run->vcpu->runs++;
		tvm_fence_enter(run->tvm, run->vcpu);
		start_clock(run->tvm);
	} else {
		error = COVE_ERR_INVALID_PARAM;
	}
	tvm_unlock(run->tvm);
	return error;
}

/* What is to become of a vCPU that the host has, or has not, been into. */
static enum vcpu_state state_after(const struct run *run)
{
	if (run->answer.value)
		return VCPU_DEAD;
	return run->stop ? VCPU_OFF : VCPU_RUNNABLE;
}

static void run_end(struct run *run)
{
	tvm_relock(run->tvm);
	run->vcpu->state = state_after(run);
	tvm_fence_leave(run->tvm, run->vcpu);
	tvm_unlock(run->tvm);
}

static u16 vmid_of(const struct tvm *tvm)
{
	return 1 + tvm->slot;
}

static void fence(u16 vmid, enum fence_reason reason)
{
	arch_guest_fence(vmid);
	trace_guest_fence(vmid, reason);
}

void run_fence_here(struct run *run)
{
	arch_fence_code();
	fence(vmid_of(run->tvm), FENCE_GUEST);
}

/* The guest must have allowed one; which one it is, is not known without AIA. */
static u64 external_interrupt(const struct run *run)
{
	const struct vcpu *vcpu = run->vcpu;
	unsigned int i;

	/* With AIA the host has inject_tvm_cpu. */
	if (run->tvm->aia.on || !nacl_external_interrupt(run->nacl))
		return 0;
	for (i = 0; i < ARRAY_SIZE(vcpu->allowed); i++)
		if (vcpu->allowed[i])
			return HVIP_VSEIP;
	return 0;
}

/* Interrupts of other vCPUs, whenever they come before the guest does. */
static void take_ipi(struct vcpu *vcpu)
{
	if (__atomic_exchange_n(&vcpu->ipi, 0, __ATOMIC_ACQUIRE))
		vcpu->context.hvip |= HVIP_VSSIP;
}

static void enter_once(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 who = trace_vcpu(run->tvm->id, run->vcpu->id);
	bool ecall;

	take_ipi(run->vcpu);
	trace_guest_enter(who, guest->sepc);
	arch_guest_enter(guest);
	ecall = guest->scause == CAUSE_ECALL_VS;
	trace_guest_exit(who, guest->sepc, guest->scause,
			 ecall ? guest->gpr[17] : 0,
			 ecall ? guest->gpr[16] : 0);
}

static void run_guest(struct run *run)
{
	const struct guest_space space = {
		.root = run->tvm->root,
		.vmid = vmid_of(run->tvm),
		.timedelta = run->tvm->timedelta,
	};

	run->vcpu->suspended = false;
	run->vcpu->context.external = external_interrupt(run);
	if (run->tvm->aia.on)
		run_load_file(run);
	arch_guest_load(&run->vcpu->context, &space);
	/*
	 * The host's own guests may use the same VMID, so nothing of theirs
	 * may be left when ours runs, and nothing of ours when theirs do.
	 */
	fence(space.vmid, FENCE_ENTER);
	do {
		enter_once(run);
	} while (run_handle_trap(run) == STAY);
	fence(space.vmid, FENCE_LEAVE);
	arch_guest_put(&run->vcpu->context);
	if (run->tvm->aia.on)
		run_put_file(run);
}

static void answer_host(struct run *run, enum due due)
{
	switch (due) {
	case DUE_SETTLED:
		run_guest(run);
		break;
	case DUE_AGAIN:
		run_fences_again(run);
		break;
	case DUE_REFUSED:
		run->answer.error = COVE_ERR_INVALID_ADDRESS;
		return;
	case DUE_BUSY:
		run->answer.error = COVE_ERR_BUSY;
		return;
	case DUE_LATER:
		run->answer.interrupted = true;
		return;
	}
	nacl_put_timers(run->nacl, run);
}

struct answer covh_run_tvm_vcpu(const u64 *args)
{
	struct run run = { .nacl = host_nacl(arch_hart()) };
	s64 error;

	if (!run.nacl)
		return (struct answer){ .error = COVE_ERR_NO_SHMEM };
	error = run_begin(&run, args[0], args[1]);
	if (error)
		return (struct answer){ .error = error };
	answer_host(&run, run_take_reply(&run));
	run_end(&run);
	return run.answer;
}
