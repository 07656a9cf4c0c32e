// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kvm.h"

#define REGISTER(kind, number)	\
	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | (kind) | (number))
#define CORE(name)	\
	REGISTER(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(name))
/*
 * Register that offers the debug console to the guest: a single SBI extension
 * (type 8), KVM_RISCV_SBI_EXT_DBCN (9). Linux has it since 6.8; the headers of
 * an older cross compiler do not.
 */
#define SBI_DBCN	REGISTER(8UL << KVM_REG_RISCV_TYPE_SHIFT, 9)

/* prctl() of Linux 6.5, unknown to the headers of older cross compilers */
#define V_SET_CONTROL	69
#define V_CONTROL_ON	2

/*
 * KVM gives its guest vectors only when the VMM's own thread may use them. A
 * host without vectors refuses, and then its guests have none either.
 */
static void allow_vectors(void)
{
	prctl(V_SET_CONTROL, V_CONTROL_ON, 0, 0, 0);
}

static bool set_register(struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	if (ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg))
		return report_failure("KVM_SET_ONE_REG", "see dmesg");
	return true;
}

static bool map_run(struct vcpu *vcpu, const struct vm *vm)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run = MAP_FAILED;

	if (size > 0)
		run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   vcpu->fd, 0);
	if (run == MAP_FAILED)
		return report_failure("mmap of struct kvm_run", "see dmesg");
	vcpu->run = run;
	vcpu->run_size = size;
	return true;
}

/**
 * Create a vCPU that starts like one of a TVM: VS-mode at the image's entry,
 * a0 = id, a1 = arg, and with the debug console, which KVM leaves to us. Only the
 * vCPU with id 0 does so by itself; the guest starts the others.
 */
bool vcpu_create(struct vcpu *vcpu, struct vm *vm, uint64_t id,
		 uint64_t arg)
{
	allow_vectors();
	vcpu->vm = vm;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0)
		return report_failure("KVM_CREATE_VCPU", "see dmesg");
	if (!map_run(vcpu, vm))
		return false;
	/* The boot vCPU runs in the thread that gets the signals. */
	if (!id)
		stop_signals_mark(&vcpu->run->immediate_exit);
	return set_register(vcpu, SBI_DBCN, 1) &&
	       set_register(vcpu, CORE(regs.pc), vm->image.entry) &&
	       set_register(vcpu, CORE(regs.a0), id) &&
	       set_register(vcpu, CORE(regs.a1), arg) &&
	       set_register(vcpu, CORE(mode), 1);
}

/* A call that KVM forwards. What we do not offer is refused to the guest. */
static void answer_call(struct vm *vm, struct kvm_run *run)
{
	run->riscv_sbi.ret[0] = (unsigned long)COVE_ERR_NOT_SUPPORTED;
	run->riscv_sbi.ret[1] = 0;
	if (run->riscv_sbi.extension_id == COVE_EID_DBCN)
		console_call(vm, run);
}

/* Returns why the run is over, NULL when the guest goes on. */
static const char *handle_exit(struct vm *vm, struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_RISCV_SBI:
		answer_call(vm, run);
		return NULL;
	case KVM_EXIT_SYSTEM_EVENT:
		return run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ?
			"shutdown" : "reboot";
	case KVM_EXIT_MMIO:
		if (console_mmio(vm, run))
			return NULL;
		if (!device_access(vm, run))
			return "fault";
		return devices_offence(&vm->devices) ? "device" : NULL;
	default:
		return "error";
	}
}

/** Run until the guest ends or a signal does; returns how it ended. */
const char *vcpu_run(struct vcpu *vcpu)
{
	const char *reason = NULL;

	while (!reason) {
		/* Another vCPU has ended the guest. */
		if (vcpu->vm->reason)
			return vcpu->vm->reason;
		if (stop_requested())
			return "limit";
		if (ioctl(vcpu->fd, KVM_RUN, 0)) {
			if (errno == EINTR)
				continue;
			report_failure("KVM_RUN", "see dmesg");
			return "error";
		}
		vcpu->exits++;
		if (vcpu->yield)
			sched_yield();
		reason = handle_exit(vcpu->vm, vcpu->run);
	}
	return reason;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	stop_signals_mark(NULL);
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
}
