// SPDX-License-Identifier: BSD-2-Clause
/*
 * Regions. Nothing is mapped outside of them, and a fault outside of them is
 * the guest's end. Few enough to be searched one by one.
 */
#include "tvm/tvm.h"

static const struct region *region_of(const struct tvm *tvm, u64 gpa)
{
	u32 i;

	for (i = 0; i < tvm->region_count; i++)
		if (gpa - tvm->region[i].base < tvm->region[i].size)
			return &tvm->region[i];
	return NULL;
}

static bool overlaps(const struct tvm *tvm, u64 gpa, u64 size)
{
	u32 i;

	for (i = 0; i < tvm->region_count; i++)
		if (ranges_meet(gpa, size, tvm->region[i].base,
				tvm->region[i].size))
			return true;
	return false;
}

s64 tvm_add_region(struct tvm *tvm, u64 gpa, u64 size)
{
	if (overlaps(tvm, gpa, size))
		return COVE_ERR_INVALID_ADDRESS;
	if (tvm->region_count == TVM_MAX_REGIONS)
		return COVE_ERR_FAILED;
	tvm->region[tvm->region_count++] = (struct region){
		.base = gpa,
		.size = size,
	};
	return COVE_SUCCESS;
}

bool tvm_covers(const struct tvm *tvm, u64 gpa, u64 size)
{
	const struct region *region;
	u64 part;

	/* Regions may touch, so a range may go on in the next one. */
	while (size) {
		region = region_of(tvm, gpa);
		if (!region)
			return false;
		part = min_u64(size, region->base + region->size - gpa);
		gpa += part;
		size -= part;
	}
	return true;
}
