// SPDX-License-Identifier: BSD-2-Clause
/*
 * The devices of a Linux TVM. Their window is memory of the host that the guest
 * maps as shared, and nothing else: an address outside of it is no memory that
 * they could touch, and the guest that gave it is at its end.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vm.h"

#define HVIP_VSEIP	(1ULL << 10)

bool vm_devices_begin(struct vm *vm)
{
	struct vm_pool *pool = &vm->pool;
	struct covh_pool_range range = {
		.pages = pool->size / PAGE_SIZE,
		.align = BLOCK_SIZE,
		.flags = COVH_POOL_TOP,
	};

	if (!pool->size)
		return true;
	if (ioctl(vm->tvm->fd, COVH_POOL_ALLOC, &range)) {
		event_error("pool", COVE_ERR_OUT_OF_MEMORY,
			    "no %llu MiB in one piece for the guest's devices",
			    (unsigned long long)pool->size >> 20);
		vm_end(vm, "error");
		return false;
	}
	pool->pa = range.base;
	pool->bytes = mmap(NULL, pool->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   vm->tvm->fd, pool->pa);
	if (pool->bytes == MAP_FAILED) {
		pool->bytes = NULL;
		event_error("pool", COVE_ERR_FAILED, "mmap");
		vm_end(vm, "error");
		return false;
	}
	/* Whoever had the pages before: the guest is not to read it. */
	memset(pool->bytes, 0, pool->size);
	return true;
}

void vm_devices_end(struct vm *vm)
{
	struct area area = {
		.base = vm->pool.pa, .pages = vm->pool.size / PAGE_SIZE,
	};

	devices_close(&vm->devices);
	if (vm->pool.bytes)
		munmap(vm->pool.bytes, vm->pool.size);
	if (vm->pool.pa)
		tvm_free_area(vm->tvm, &area);
}

bool vm_devices_demand(struct vm *vm, uint64_t gpa)
{
	struct vm_pool *pool = &vm->pool;
	uint64_t blocks = pool->size / BLOCK_SIZE;

	if (gpa < pool->gpa || gpa - pool->gpa >= pool->size || pool->given)
		return false;
	/* The TSM refuses as long as the guest has not shared all of it. */
	if (vm_call(vm, COVE_COVH_ADD_TVM_SHARED_PAGES, pool->pa,
		    COVE_TVM_PAGE_2M, blocks, pool->gpa))
		return false;
	for (uint64_t i = 0; i < blocks; i++)
		vm_add_leaf(vm, (struct vm_leaf){
			.gpa = pool->gpa + i * BLOCK_SIZE,
			.pa = pool->pa + i * BLOCK_SIZE,
			.pages = BLOCK_SIZE / PAGE_SIZE,
			.shared = true,
			.pool = true,
		});
	vm->counts.shared_pages += pool->size / PAGE_SIZE;
	pool->given = true;
	vm->devices.window = (struct window){
		.base = pool->gpa, .size = pool->size, .bytes = pool->bytes,
	};
	return true;
}

void vm_devices_forget(struct vm *vm)
{
	vm->devices.window.size = 0;
}

/* One that does not use the pool will never get an answer: say so at once. */
static void check_offence(struct vm *vm, uint64_t gpa)
{
	const char *offence = devices_offence(&vm->devices);

	if (!offence || vm->reason)
		return;
	event_error("virtio", COVE_ERR_INVALID_ADDRESS,
		    "the driver of the device at %#llx has given it %s; the guest's kernel needs CONFIG_DMA_RESTRICTED_POOL",
		    (unsigned long long)gpa & ~(DEVICES_STRIDE - 1), offence);
	vm_end(vm, "device");
}

bool vm_devices_access(struct vm_vcpu *vcpu, uint64_t gpa, bool store,
		       unsigned int size, uint64_t *value)
{
	struct vm *vm = vcpu->vm;

	if (!devices_access(&vm->devices, gpa, store, size, value))
		return false;
	check_offence(vm, gpa);
	if (vcpu->id && devices_interrupt(&vm->devices))
		vm_kick(vm, 1);
	return true;
}

void vm_devices_interrupt(struct vm_vcpu *vcpu)
{
	if (vcpu->vm->devices.count && !vcpu->id)
		vcpu->run.hvip = devices_interrupt(&vcpu->vm->devices) ?
				 HVIP_VSEIP : 0;
}

void vm_devices_report(const struct vm *vm)
{
	const char *offence = devices_offence(&vm->devices);

	if (!vm->devices.count || !events_are_json())
		return;
	event_begin("devices");
	json_unsigned("count", vm->devices.count);
	json_unsigned("pool_gpa", vm->pool.gpa);
	json_unsigned("pool_size", vm->pool.size);
	json_bool("pool_given", vm->pool.given);
	json_string("offence", offence ? offence : "");
	json_end();
}
