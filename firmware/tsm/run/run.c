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
	if (may_run(run->tvm, run->vcpu)) {
		run->vcpu->state = VCPU_RUNNING;
		run->tvm->running++;
		start_clock(run->tvm);
	} else {
		error = COVE_ERR_INVALID_PARAM;
	}
	tvm_unlock(run->tvm);
	return error;
}

static void run_end(struct run *run)
{
	tvm_relock(run->tvm);
	run->vcpu->state = run->answer.value ? VCPU_OFF : VCPU_RUNNABLE;
	run->tvm->running--;
	tvm_unlock(run->tvm);
}

static void fence(u16 vmid, enum fence_reason reason)
{
	arch_guest_fence(vmid);
	trace_guest_fence(vmid, reason);
}

static void enter_once(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 who = trace_vcpu(run->tvm->id, run->vcpu->id);
	bool ecall;

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
		.vmid = 1 + run->tvm->slot,
		.timedelta = run->tvm->timedelta,
	};

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
	nacl_take_reply(run.nacl, run.vcpu);
	run_guest(&run);
	nacl_put_timers(run.nacl, &run);
	run_end(&run);
	return run.answer;
}
