// SPDX-License-Identifier: BSD-2-Clause
/* Devices of a Linux guest: all of its memory is theirs, as in any machine. */
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void tell(struct vm *vm)
{
	bool wanted = devices_interrupt(&vm->devices);
	struct kvm_interrupt interrupt = {
		.irq = wanted ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET,
	};

	if (wanted == vm->interrupting)
		return;
	if (ioctl(vm->vcpus[0].fd, KVM_INTERRUPT, &interrupt))
		report_failure("KVM_INTERRUPT", "see dmesg");
	vm->interrupting = wanted;
}

bool device_access(struct vm *vm, struct kvm_run *run)
{
	uint64_t value = 0;
	bool found;

	if (run->mmio.len > sizeof(value))
		return false;
	if (run->mmio.is_write)
		memcpy(&value, run->mmio.data, run->mmio.len);
	pthread_mutex_lock(&lock);
	vm->devices.window = (struct window){
		.base = vm->image.region_base,
		.size = vm->image.region_size,
		.bytes = vm->ram,
	};
	found = devices_access(&vm->devices, run->mmio.phys_addr,
			       run->mmio.is_write, run->mmio.len, &value);
	tell(vm);
	pthread_mutex_unlock(&lock);
	if (!run->mmio.is_write)
		memcpy(run->mmio.data, &value, run->mmio.len);
	return found;
}
