// SPDX-License-Identifier: BSD-2-Clause
/* The TVM's memory: what it has, and the host's part in sharing (cove.md 3.4). */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vm.h"

/* A vCPU that was told to leave its hart does so within one of these. */
#define FENCE_TRIES	100000

int64_t vm_call(struct vm *vm, uint32_t fid, uint64_t a1, uint64_t a2,
		uint64_t a3, uint64_t a4)
{
	uint64_t args[] = { vm->tvm->id, a1, a2, a3, a4 };

	return device_covh(vm->tvm->fd, vm->tvm->sdid, fid, args, 5, NULL);
}

void vm_refused(struct vm *vm, const char *call, int64_t error)
{
	event_error(call, error, "the TSM refuses what its guest has asked for");
	vm_end(vm, "error");
}

struct vm_leaf *vm_find_leaf(struct vm *vm, uint64_t gpa, uint64_t size)
{
	for (size_t i = 0; i < vm->leaf_count; i++) {
		struct vm_leaf *leaf = &vm->leaves[i];

		if (gpa < leaf->gpa + leaf->pages * PAGE_SIZE &&
		    leaf->gpa < gpa + size)
			return leaf;
	}
	return NULL;
}

void vm_add_leaf(struct vm *vm, struct vm_leaf leaf)
{
	struct vm_leaf *all = realloc(vm->leaves,
				      (vm->leaf_count + 1) * sizeof(leaf));

	if (!all) {
		vm_end(vm, "error");
		return;
	}
	vm->leaves = all;
	vm->leaves[vm->leaf_count++] = leaf;
}

static void drop(struct vm *vm, struct vm_leaf *leaf)
{
	*leaf = vm->leaves[--vm->leaf_count];
}

void vm_memory_begin(struct vm *vm)
{
	const struct image *image = &vm->tvm->image;
	uint64_t pa = vm->tvm->first_data;

	for (size_t i = 0; i < image->count; i++)
		for (uint64_t page = 0; page < image->segments[i].pages; page++) {
			vm_add_leaf(vm, (struct vm_leaf){
				.gpa = image->segments[i].gpa + page * PAGE_SIZE,
				.pa = pa,
				.pages = 1,
			});
			pa += PAGE_SIZE;
		}
	vm->spare_high = vm->tvm->spare.pages;
}

void vm_memory_end(struct vm *vm)
{
	for (size_t i = 0; i < vm->leaf_count; i++) {
		struct area area = { .base = vm->leaves[i].pa, .pages = 1 };

		if (vm->leaves[i].shared && !vm->leaves[i].pool)
			tvm_free_area(vm->tvm, &area);
	}
	free(vm->leaves);
}

/* Every vCPU that may still know the page is told to leave its hart. */
static int64_t fence(struct vm *vm)
{
	int64_t error;

	for (int i = 0; i < FENCE_TRIES; i++) {
		error = vm_call(vm, COVE_COVH_TVM_FENCE, 0, 0, 0, 0);
		if (error != COVE_ERR_ALREADY_STARTED)
			return error;
		vm_kick(vm, ~0ULL);
		sched_yield();
	}
	return error;
}

static int64_t remove_leaf(struct vm *vm, const struct vm_leaf *leaf)
{
	return vm_call(vm, COVE_COVH_TVM_REMOVE_PAGES, leaf->gpa,
		       leaf->pages * PAGE_SIZE, 0, 0);
}

static int64_t remove_when_settled(struct vm *vm, const struct vm_leaf *leaf)
{
	int64_t error = COVE_ERR_FAILED;

	for (int i = 0; i < FENCE_TRIES; i++) {
		error = remove_leaf(vm, leaf);
		if (error != COVE_ERR_INVALID_ADDRESS)
			return error;
		vm_kick(vm, ~0ULL);
		sched_yield();
	}
	return error;
}

static int64_t invalidate(struct vm *vm, const struct vm_leaf *leaf)
{
	return vm_call(vm, COVE_COVH_TVM_INVALIDATE_PAGES, leaf->gpa,
		       leaf->pages * PAGE_SIZE, 0, 0);
}

/* Each step before its time, as a careless host makes it, or a hostile one. */
static void be_contrary(struct vm_vcpu *vcpu, const struct vm_leaf *leaf)
{
	struct vm *vm = vcpu->vm;

	vm_attempt("remove of a mapped page", remove_leaf(vm, leaf));
	vm_reply(vcpu, COVE_SUCCESS, 0);
	vm_attempt("go on with a mapped page", vm_run_once(vcpu));
	vm_attempt("invalidate", invalidate(vm, leaf));
	vm_attempt("invalidate again", invalidate(vm, leaf));
	vm_attempt("remove without a fence", remove_leaf(vm, leaf));
	vm_reply(vcpu, COVE_SUCCESS, 0);
	vm_attempt("go on with a blocked page", vm_run_once(vcpu));
	vm_attempt("validate", vm_call(vm, COVE_COVH_TVM_VALIDATE_PAGES,
				       leaf->gpa, leaf->pages * PAGE_SIZE, 0, 0));
}

static int64_t take_away(struct vm *vm, struct vm_leaf *leaf)
{
	struct area area = { .base = leaf->pa, .pages = leaf->pages };
	int64_t error = invalidate(vm, leaf);

	if (!error)
		error = fence(vm);
	if (!error)
		error = remove_when_settled(vm, leaf);
	if (error)
		return error;
	if (leaf->pool)
		vm_devices_forget(vm);
	else if (leaf->shared)
		tvm_free_area(vm->tvm, &area);
	drop(vm, leaf);
	return COVE_SUCCESS;
}

/* a0 = GPA, a1 = size: take away what is there, then let the guest go on */
void vm_change_region(struct vm_vcpu *vcpu, bool share)
{
	uint64_t gpa = vcpu->run.gprs[A0], size = vcpu->run.gprs[A1];
	struct vm_leaf *leaf = vm_find_leaf(vcpu->vm, gpa, size);
	int64_t error;

	if (leaf && vcpu->vm->contrary)
		be_contrary(vcpu, leaf);
	while ((leaf = vm_find_leaf(vcpu->vm, gpa, size))) {
		error = take_away(vcpu->vm, leaf);
		if (error) {
			vm_refused(vcpu->vm, share ? "share" : "unshare", error);
			return;
		}
	}
	vm_reply(vcpu, COVE_SUCCESS, 0);
}

bool vm_read_shared(struct vm *vm, uint64_t gpa, void *to, uint64_t size)
{
	struct vm_leaf *leaf = vm_find_leaf(vm, gpa, 1);
	uint8_t *map;

	if (!leaf || !leaf->shared || gpa % PAGE_SIZE + size > PAGE_SIZE)
		return false;
	map = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, vm->tvm->fd,
		   leaf->pa + ((gpa - leaf->gpa) & ~(PAGE_SIZE - 1)));
	if (map == MAP_FAILED)
		return false;
	memcpy(to, map + gpa % PAGE_SIZE, size);
	munmap(map, PAGE_SIZE);
	return true;
}
