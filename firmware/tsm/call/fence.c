// SPDX-License-Identifier: BSD-2-Clause
/* tvm_fence, and the calls that make leaves larger or smaller behind it. */
#include "call/call.h"

#define LEAVES	512

/* a0 = TVM */
struct answer covh_tvm_fence(const u64 *args)
{
	struct tvm *tvm;
	s64 error = tvm_lock_in_state(args[0], COVE_TVM_STATE_RUNNABLE, &tvm);

	if (error)
		return answer_error(error);
	error = tvm_fence_start(tvm);
	tvm_unlock(tvm);
	return answer_error(error);
}

static bool blocked_and_fenced(struct tvm *tvm, const struct leaf *leaf)
{
	return leaf->state == LEAF_BLOCKED &&
	       tvm_fence_settled(tvm, leaf->version);
}

/* The leaves make a whole: one kind, one piece of memory, where it may lie. */
static s64 check_leaves(struct tvm *tvm, u64 gpa, unsigned int level)
{
	struct leaf first = gstage_find(tvm->root, gpa);
	u64 size = leaf_size(level - 1);
	struct leaf leaf;
	unsigned int i;

	if (first.page & (leaf_size(level) - 1))
		return COVE_ERR_INVALID_ADDRESS;
	for (i = 0; i < LEAVES; i++) {
		leaf = gstage_find(tvm->root, gpa + i * size);
		if (!blocked_and_fenced(tvm, &leaf) ||
		    leaf.level != level - 1 || leaf.shared != first.shared ||
		    leaf.page != first.page + i * size)
			return COVE_ERR_INVALID_ADDRESS;
	}
	return COVE_SUCCESS;
}

static s64 promote(struct tvm *tvm, u64 gpa, unsigned int level)
{
	s64 error = check_leaves(tvm, gpa, level);

	if (error)
		return error;
	if (tvm->running)
		return COVE_ERR_BUSY;
	gstage_promote(tvm, gpa, level);
	return COVE_SUCCESS;
}

static s64 demote(struct tvm *tvm, u64 gpa, unsigned int level)
{
	struct leaf leaf = gstage_find(tvm->root, gpa);

	if (!blocked_and_fenced(tvm, &leaf) || leaf.level != level + 1)
		return COVE_ERR_INVALID_ADDRESS;
	return gstage_demote(tvm, gpa, level) ? COVE_SUCCESS :
						COVE_ERR_OUT_OF_PTPAGES;
}

static s64 resize(const u64 *args, unsigned int lowest, unsigned int highest,
		  s64 (*change)(struct tvm *tvm, u64 gpa, unsigned int level))
{
	u64 gpa = args[1], level = args[2];
	struct tvm *tvm;
	s64 error;

	if (level < lowest || level > highest)
		return COVE_ERR_INVALID_PARAM;
	/* The larger of the two sizes is what the address has to keep. */
	if (gpa >= GSTAGE_END || gpa & (leaf_size(level + !lowest) - 1))
		return COVE_ERR_INVALID_ADDRESS;
	error = tvm_lock_in_state(args[0], COVE_TVM_STATE_RUNNABLE, &tvm);
	if (error)
		return error;
	error = change(tvm, gpa, level);
	tvm_unlock(tvm);
	return error;
}

/* a0 = TVM, a1 = GPA, a2 = page type that it gets */
struct answer covh_promote_page(const u64 *args)
{
	return answer_error(resize(args, COVE_TVM_PAGE_2M, COVE_TVM_PAGE_1G,
				   promote));
}

/* a0 = TVM, a1 = GPA, a2 = page type that it gets */
struct answer covh_demote_page(const u64 *args)
{
	return answer_error(resize(args, COVE_TVM_PAGE_4K, COVE_TVM_PAGE_2M,
				   demote));
}
