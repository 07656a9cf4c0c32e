// SPDX-License-Identifier: BSD-2-Clause
/*
 * Demand memory: zero pages where the TVM touches what has none (cove.md 3.4).
 *
 * A touch costs an exit and at least one TEECALL, whatever it brings. So it
 * brings all that is missing in the 2 MiB around it: one page of that size where
 * nothing is there yet, else each gap by one call. All memory that the TVM can
 * come to need was converted at its launch, in blocks of the same size; what it
 * has not used goes back with the rest at its end.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "vm.h"

#define BLOCK_PAGES	(BLOCK_SIZE / PAGE_SIZE)
/* A window that the TSM refuses as a whole is tried in parts of this fraction. */
#define NARROWER	8

/* 2 MiB is a power of it, in pages: the last window is one page. */
_Static_assert(BLOCK_PAGES == NARROWER * NARROWER * NARROWER,
	       "the windows end with a page");

static int64_t add(struct vm *vm, uint32_t fid, uint64_t pa, uint64_t type,
		   uint64_t number, uint64_t gpa)
{
	vm->counts.demand_calls++;
	return vm_call(vm, fid, pa, type, number, gpa);
}

/* The last ones of the memory to spare: the next ones stay aligned. */
static int64_t add_block(struct vm *vm, uint64_t gpa)
{
	uint64_t pa = vm->tvm->spare.base +
		      (vm->spare_high - BLOCK_PAGES) * PAGE_SIZE;
	int64_t error;

	if (vm->spare_high - vm->spare_low < BLOCK_PAGES)
		return COVE_ERR_OUT_OF_MEMORY;
	error = add(vm, COVE_COVH_ADD_TVM_ZERO_PAGES, pa, COVE_TVM_PAGE_2M, 1,
		    gpa);
	if (error)
		return error;
	vm_add_leaf(vm, (struct vm_leaf){ .gpa = gpa, .pa = pa,
				  .pages = BLOCK_PAGES });
	vm->spare_high -= BLOCK_PAGES;
	vm->counts.large_pages++;
	return COVE_SUCCESS;
}

/* Leaves of one page each, as the guest may share any of them. */
static int64_t add_gap(struct vm *vm, uint64_t gpa, uint64_t pages)
{
	uint64_t pa = vm->tvm->spare.base + vm->spare_low * PAGE_SIZE;
	int64_t error;

	if (vm->spare_high - vm->spare_low < pages)
		return COVE_ERR_OUT_OF_MEMORY;
	error = add(vm, COVE_COVH_ADD_TVM_ZERO_PAGES, pa, COVE_TVM_PAGE_4K,
		    pages, gpa);
	if (error)
		return error;
	for (uint64_t i = 0; i < pages; i++)
		vm_add_leaf(vm, (struct vm_leaf){ .gpa = gpa + i * PAGE_SIZE,
					  .pa = pa + i * PAGE_SIZE, .pages = 1 });
	vm->spare_low += pages;
	vm->counts.zero_pages += pages;
	return COVE_SUCCESS;
}

/* A block of the TVM's memory that has nothing in it */
static bool try_block(struct vm *vm, uint64_t gpa)
{
	const struct image *image = &vm->tvm->image;
	uint64_t block = gpa & ~(BLOCK_SIZE - 1);

	return vm->demand == VM_DEMAND_BLOCK && block >= image->region_base &&
	       block + BLOCK_SIZE <= image->region_base + image->region_size &&
	       !vm_find_leaf(vm, block, BLOCK_SIZE) && !add_block(vm, block);
}

/* Which pages of the window are there, or are none of the TVM's memory */
static void look(const struct vm *vm, uint64_t window, uint64_t pages,
		 bool *there)
{
	const struct image *image = &vm->tvm->image;

	for (uint64_t i = 0; i < pages; i++)
		there[i] = window + i * PAGE_SIZE - image->region_base >=
			   image->region_size;
	for (size_t i = 0; i < vm->leaf_count; i++) {
		uint64_t first = (vm->leaves[i].gpa - window) / PAGE_SIZE;

		/* A larger leaf has the whole window, or nothing of it. */
		if (vm->leaves[i].gpa >= window && first < pages)
			there[first] = true;
	}
}

/* Close every gap; what counts is the one that was touched. */
static int64_t fill(struct vm *vm, uint64_t window, uint64_t pages,
		    uint64_t touched)
{
	int64_t error, result = COVE_ERR_INVALID_ADDRESS;
	bool there[BLOCK_PAGES];
	uint64_t end;

	look(vm, window, pages, there);
	for (uint64_t i = 0; i < pages; i = end + 1) {
		for (end = i; end < pages && !there[end]; end++)
			;
		if (end == i)
			continue;
		error = add_gap(vm, window + i * PAGE_SIZE, end - i);
		if (touched >= i && touched < end)
			result = error;
	}
	return result;
}

/*
 * The TSM knows what the region is, and refuses a gap that is not all
 * confidential; a smaller window may have none of what the guest shares.
 */
static int64_t fill_around(struct vm *vm, uint64_t gpa)
{
	uint64_t size = vm->demand == VM_DEMAND_PAGE ? PAGE_SIZE : BLOCK_SIZE;
	uint64_t window;
	int64_t error;

	for (;; size /= NARROWER) {
		window = gpa & ~(size - 1);
		error = fill(vm, window, size / PAGE_SIZE,
			     (gpa - window) / PAGE_SIZE);
		if (!error || size == PAGE_SIZE)
			return error;
	}
}

static int64_t add_shared(struct vm *vm, uint64_t gpa)
{
	struct covh_pool_range range = {
		.pages = 1, .flags = COVH_POOL_TOP, .sdid = vm->tvm->sdid,
	};
	int64_t error;

	if (ioctl(vm->tvm->fd, COVH_POOL_ALLOC, &range))
		return COVE_ERR_OUT_OF_MEMORY;
	error = add(vm, COVE_COVH_ADD_TVM_SHARED_PAGES, range.base,
		    COVE_TVM_PAGE_4K, 1, gpa);
	if (error)
		return error;
	vm_add_leaf(vm, (struct vm_leaf){ .gpa = gpa, .pa = range.base,
				  .pages = 1, .shared = true });
	vm->counts.shared_pages++;
	return COVE_SUCCESS;
}

void vm_demand(struct vm_vcpu *vcpu, uint64_t gpa)
{
	struct vm *vm = vcpu->vm;
	int64_t error;

	gpa &= ~(PAGE_SIZE - 1);
	/* Another vCPU was here first, or its change is under way. */
	if (vm_find_leaf(vm, gpa, PAGE_SIZE) || vm_devices_demand(vm, gpa))
		return;
	vm->counts.demands++;
	if (try_block(vm, gpa))
		return;
	error = fill_around(vm, gpa);
	if (error == COVE_ERR_INVALID_ADDRESS)
		error = add_shared(vm, gpa);
	if (error)
		vm_refused(vm, "add_tvm_shared_pages", error);
}
