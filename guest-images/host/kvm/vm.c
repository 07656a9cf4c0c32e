// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm.h"

#define KVM_DEVICE	"/dev/kvm"
#define NO_KVM		"this host has no KVM: CONFIG_KVM=y, and harts with the H extension"

/** Open KVM and create a machine without memory; says why not. */
bool vm_create(struct vm *vm)
{
	vm->fd = -1;
	vm->kvm = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return report_failure("open " KVM_DEVICE, NO_KVM);
	if (ioctl(vm->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return report_failure("KVM_GET_API_VERSION",
				      "built for another version of KVM");
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0UL);
	if (vm->fd < 0)
		return report_failure("KVM_CREATE_VM", "see dmesg");
	return true;
}

/** Put host memory at a guest-physical address; all of it in whole pages. */
bool vm_add_memory(struct vm *vm, uint64_t gpa, uint64_t size, uint8_t *host)
{
	struct kvm_userspace_memory_region slot = {
		.slot = vm->slots,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot))
		return report_failure("KVM_SET_USER_MEMORY_REGION", "see dmesg");
	vm->slots++;
	return true;
}

static void copy_segments(struct vm *vm)
{
	for (size_t i = 0; i < vm->image.count; i++) {
		const struct segment *segment = &vm->image.segments[i];

		memcpy(vm->ram + (segment->gpa - vm->image.region_base),
		       segment->bytes, segment->size);
	}
}

bool vm_load(struct vm *vm, const char *path, enum status *status)
{
	char why[256];

	*status = STATUS_USAGE;
	if (!image_load(&vm->image, path, why, sizeof(why))) {
		report_refusal("elf", why);
		return false;
	}
	*status = STATUS_FAILED;
	return vm_load_image(vm);
}

/** Give the machine the image's region, with the image in it. */
bool vm_load_image(struct vm *vm)
{
	uint64_t size = vm->image.region_size;
	void *ram;

	ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		return report_failure("mmap", "the host has no memory left");
	vm->ram = ram;
	copy_segments(vm);
	return vm_add_memory(vm, vm->image.region_base, size, vm->ram);
}

void vm_destroy(struct vm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	if (vm->ram)
		munmap(vm->ram, vm->image.region_size);
}
