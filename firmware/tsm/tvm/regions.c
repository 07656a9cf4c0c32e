// SPDX-License-Identifier: BSD-2-Clause
/*
 * Regions: what each stretch of guest-physical memory is. Nothing is mapped
 * outside of them, and a fault outside of them is the guest's end. They are
 * sorted, do not meet, and neighbours of one kind are one region, so that what
 * the host or the guest does in small parts does not fill the table.
 */
#include "tvm/tvm.h"

static u64 end_of(const struct region *region)
{
	return region->base + region->size;
}

/* The first region that ends behind this address; region_count if none. */
static u32 first_behind(const struct tvm *tvm, u64 gpa)
{
	u32 i = 0;

	while (i < tvm->region_count && end_of(&tvm->region[i]) <= gpa)
		i++;
	return i;
}

enum region_kind tvm_region_kind(const struct tvm *tvm, u64 gpa)
{
	u32 i = first_behind(tvm, gpa);

	if (i == tvm->region_count || gpa < tvm->region[i].base)
		return REGION_NONE;
	return tvm->region[i].kind;
}

static void insert(struct tvm *tvm, u32 at, struct region region)
{
	memmove(&tvm->region[at + 1], &tvm->region[at],
		(tvm->region_count - at) * sizeof(region));
	tvm->region[at] = region;
	tvm->region_count++;
}

static void drop(struct tvm *tvm, u32 at)
{
	tvm->region_count--;
	memmove(&tvm->region[at], &tvm->region[at + 1],
		(tvm->region_count - at) * sizeof(tvm->region[0]));
}

/* Two MMIO regions stay two: the guest takes them away one by one. */
static bool mergeable(const struct region *a, const struct region *b)
{
	return a->kind == b->kind && a->kind != REGION_MMIO &&
	       end_of(a) == b->base;
}

static void merge(struct tvm *tvm)
{
	u32 i = 1;

	while (i < tvm->region_count) {
		if (mergeable(&tvm->region[i - 1], &tvm->region[i])) {
			tvm->region[i - 1].size += tvm->region[i].size;
			drop(tvm, i);
		} else {
			i++;
		}
	}
}

s64 tvm_add_region(struct tvm *tvm, u64 gpa, u64 size, enum region_kind kind)
{
	u32 at = first_behind(tvm, gpa);

	if (at < tvm->region_count && tvm->region[at].base < gpa + size)
		return COVE_ERR_INVALID_ADDRESS;
	if (tvm->region_count == TVM_MAX_REGIONS)
		return COVE_ERR_FAILED;
	insert(tvm, at, (struct region){
		.base = gpa,
		.size = size,
		.kind = kind,
	});
	merge(tvm);
	return COVE_SUCCESS;
}

bool tvm_covers(const struct tvm *tvm, u64 gpa, u64 size,
		enum region_kind kind)
{
	const struct region *region;
	u64 part;
	u32 i;

	/* Regions may touch, so a range may go on in the next one. */
	for (i = first_behind(tvm, gpa); size; i++) {
		region = &tvm->region[i];
		if (i >= tvm->region_count || gpa < region->base ||
		    region->kind != kind)
			return false;
		part = min_u64(size, end_of(region) - gpa);
		gpa += part;
		size -= part;
	}
	return true;
}

/* Let a region end where it now goes on. */
static void split(struct tvm *tvm, u64 gpa)
{
	u32 i = first_behind(tvm, gpa);
	struct region rest;

	if (i == tvm->region_count || tvm->region[i].base >= gpa)
		return;
	rest = tvm->region[i];
	rest.size = end_of(&rest) - gpa;
	rest.base = gpa;
	tvm->region[i].size -= rest.size;
	insert(tvm, i + 1, rest);
}

s64 tvm_change_region(struct tvm *tvm, u64 gpa, u64 size,
		      enum region_kind from, enum region_kind to)
{
	u32 i;

	if (!tvm_covers(tvm, gpa, size, from))
		return COVE_ERR_INVALID_PARAM;
	/* A range in the middle of one leaves two more. */
	if (tvm->region_count + 2 > TVM_MAX_REGIONS)
		return COVE_ERR_FAILED;
	split(tvm, gpa);
	split(tvm, gpa + size);
	for (i = first_behind(tvm, gpa);
	     i < tvm->region_count && tvm->region[i].base < gpa + size; i++)
		tvm->region[i].kind = to;
	merge(tvm);
	return COVE_SUCCESS;
}

s64 tvm_drop_mmio(struct tvm *tvm, u64 gpa, u64 size)
{
	u32 i = first_behind(tvm, gpa);
	bool found = false;

	while (i < tvm->region_count && tvm->region[i].base < gpa + size) {
		if (tvm->region[i].kind == REGION_MMIO) {
			drop(tvm, i);
			found = true;
		} else {
			i++;
		}
	}
	return found ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}
