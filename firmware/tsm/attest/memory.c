// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest names its memory by GPA. The TVM stays locked from the check to
 * the last byte: the host may unmap pages of it on another hart.
 */
#include "attest/attest.h"

/* The TVM's own page there, 0 if none: a shared one is the host's to change. */
static u64 own_page(const struct tvm *tvm, u64 gpa)
{
	struct leaf leaf = gstage_find(tvm->root, gpa);

	return leaf.state == LEAF_MAPPED && !leaf.shared ? leaf.page : 0;
}

static bool reachable(const struct tvm *tvm, u64 gpa, u64 size)
{
	u64 page;

	if (!range_inside(gpa, size, 0, GSTAGE_END) ||
	    !tvm_covers(tvm, gpa, size, REGION_CONFIDENTIAL))
		return false;
	for (page = gpa & ~(PAGE_SIZE - 1); page < gpa + size;
	     page += PAGE_SIZE)
		if (!own_page(tvm, page))
			return false;
	return true;
}

s64 attest_check(struct tvm *tvm, u64 gpa, u64 size)
{
	bool ok;

	tvm_relock(tvm);
	ok = reachable(tvm, gpa, size);
	tvm_unlock(tvm);
	return ok ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}

/* The part of a copy that lies in one page */
static void copy_part(const struct tvm *tvm, void *buffer, u64 gpa, u64 size,
		      bool out)
{
	u64 offset = gpa & (PAGE_SIZE - 1);
	u8 *guest = (u8 *)phys_to_virt(own_page(tvm, gpa - offset)) + offset;

	if (out)
		memcpy(guest, buffer, size);
	else
		memcpy(buffer, guest, size);
}

static s64 copy(struct tvm *tvm, void *buffer, u64 gpa, u64 size, bool out)
{
	u64 done, part;
	bool ok;

	tvm_relock(tvm);
	ok = reachable(tvm, gpa, size);
	for (done = 0; ok && done < size; done += part) {
		part = min_u64(size - done,
			       PAGE_SIZE - (gpa + done) % PAGE_SIZE);
		copy_part(tvm, (u8 *)buffer + done, gpa + done, part, out);
	}
	tvm_unlock(tvm);
	return ok ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}

s64 attest_copy_in(struct tvm *tvm, void *to, u64 gpa, u64 size)
{
	return copy(tvm, to, gpa, size, false);
}

s64 attest_copy_out(struct tvm *tvm, u64 gpa, const void *from, u64 size)
{
	/* Only read, as out says. */
	return copy(tvm, (void *)from, gpa, size, true);
}
