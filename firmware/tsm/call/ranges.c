// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest-physical ranges that are populated already: taken from the guest,
 * given back to it, or taken away for good. A range names whole leaves; all of
 * them are looked at before the first is changed, and the TVM is held from the
 * first look to the last change.
 */
#include "call/call.h"

enum range_phase {
	RANGE_CHECK,
	RANGE_CHANGE,
	RANGE_PHASES,
};

/* a0 = TVM, a1 = GPA, a2 = size in bytes */
static s64 range_begin(struct long_call *call, const u64 *args)
{
	u64 size = args[2];
	s64 error;

	if (!size || !page_aligned(size))
		return COVE_ERR_INVALID_PARAM;
	if (!page_aligned(args[1]) || !range_inside(args[1], size, 0, GSTAGE_END))
		return COVE_ERR_INVALID_ADDRESS;
	call->gpa = args[1];
	call->count = size >> PAGE_SHIFT;
	call->no_value = true;
	error = tvm_lock_in_state(args[0], COVE_TVM_STATE_RUNNABLE, &call->tvm);
	if (error)
		return error;
	tvm_hold(call->tvm);
	tvm_unlock(call->tvm);
	return COVE_SUCCESS;
}

static u64 next_gpa(const struct long_call *call)
{
	return call->gpa + (call->done << PAGE_SHIFT);
}

static u64 leaf_pages(const struct leaf *leaf)
{
	return leaf_size(leaf->level) >> PAGE_SHIFT;
}

/* The leaf that the range goes on with, if there is one and it lies in it. */
static bool next_leaf(const struct long_call *call, struct leaf *leaf)
{
	u64 gpa = next_gpa(call);

	*leaf = gstage_find(call->tvm->root, gpa);
	return leaf->state != LEAF_NONE &&
	       !(gpa & (leaf_size(leaf->level) - 1)) &&
	       leaf_pages(leaf) <= call->count - call->done;
}

typedef bool (*leaf_check)(struct long_call *call, const struct leaf *leaf);

/* Look at some more leaves; an error turns back a call that changed nothing. */
static s64 check_leaves(struct long_call *call, leaf_check check)
{
	unsigned int leaves = PAGES_A_STEP;
	struct leaf leaf;

	while (leaves-- && call->phase == RANGE_CHECK) {
		if (!next_leaf(call, &leaf) || !check(call, &leaf))
			return COVE_ERR_INVALID_ADDRESS;
		long_advance(call, leaf_pages(&leaf));
	}
	return COVE_SUCCESS;
}

typedef void (*leaf_change)(struct long_call *call, u64 gpa);

static void change_leaves(struct long_call *call, leaf_change change)
{
	unsigned int leaves = PAGES_A_STEP;
	struct leaf leaf;

	while (leaves-- && call->phase == RANGE_CHANGE) {
		next_leaf(call, &leaf);
		change(call, next_gpa(call));
		long_advance(call, leaf_pages(&leaf));
	}
	if (call->phase == RANGE_PHASES)
		tvm_let_go(call->tvm);
}

static enum long_way range_turn(struct long_call *call)
{
	return call->phase == RANGE_CHANGE ? LONG_FORWARD : LONG_BACK;
}

/* Only looked at so far. */
static bool range_back(struct long_call *call)
{
	tvm_let_go(call->tvm);
	return true;
}

static bool is_mapped(struct long_call *call, const struct leaf *leaf)
{
	(void)call;
	return leaf->state == LEAF_MAPPED;
}

static void block(struct long_call *call, u64 gpa)
{
	gstage_block(call->tvm->root, gpa, call->tvm->version);
}

static s64 invalidate_step(struct long_call *call)
{
	if (call->phase == RANGE_CHECK)
		return check_leaves(call, is_mapped);
	change_leaves(call, block);
	return COVE_SUCCESS;
}

const struct long_kind tvm_invalidate_pages = {
	.phases = RANGE_PHASES,
	.begin = range_begin,
	.step = invalidate_step,
	.turn = range_turn,
	.back = range_back,
};

static bool is_blocked(struct long_call *call, const struct leaf *leaf)
{
	(void)call;
	return leaf->state == LEAF_BLOCKED;
}

static void unblock(struct long_call *call, u64 gpa)
{
	gstage_unblock(call->tvm->root, gpa);
}

static s64 validate_step(struct long_call *call)
{
	if (call->phase == RANGE_CHECK)
		return check_leaves(call, is_blocked);
	change_leaves(call, unblock);
	return COVE_SUCCESS;
}

const struct long_kind tvm_validate_pages = {
	.phases = RANGE_PHASES,
	.begin = range_begin,
	.step = validate_step,
	.turn = range_turn,
	.back = range_back,
};

/* The guest has asked for it, and no hart can reach the page any more. */
static bool is_removable(struct long_call *call, const struct leaf *leaf)
{
	u64 gpa = next_gpa(call);
	enum region_kind kind = leaf->shared ? REGION_UNSHARING :
					       REGION_SHARING;

	return leaf->state == LEAF_BLOCKED &&
	       tvm_covers(call->tvm, gpa, leaf_size(leaf->level), kind) &&
	       tvm_fence_settled(call->tvm, leaf->version);
}

/* A large leaf's pages go in parts; the leaf goes with the last of them. */
static u64 remove_part(struct long_call *call)
{
	u64 gpa = next_gpa(call);
	struct leaf leaf = gstage_find(call->tvm->root, gpa);
	u64 rest = leaf_size(leaf.level) - (gpa & (leaf_size(leaf.level) - 1));
	u64 part = min_u64(rest >> PAGE_SHIFT, PAGES_A_STEP);

	if (leaf.shared) {
		host_unshare(leaf.page, part);
		call->tvm->shared_pages -= part;
	} else {
		pages_release(leaf.page, part, call->tvm->slot);
	}
	if (part << PAGE_SHIFT == rest)
		gstage_unmap(call->tvm->root, gpa);
	return part;
}

static s64 remove_step(struct long_call *call)
{
	unsigned int left = PAGES_A_STEP;
	u64 part;

	if (call->phase == RANGE_CHECK)
		return check_leaves(call, is_removable);
	while (left && call->phase == RANGE_CHANGE) {
		part = remove_part(call);
		left -= min_u64(part, left);
		long_advance(call, part);
	}
	if (call->phase == RANGE_PHASES)
		tvm_let_go(call->tvm);
	return COVE_SUCCESS;
}

const struct long_kind tvm_remove_pages = {
	.phases = RANGE_PHASES,
	.begin = range_begin,
	.step = remove_step,
	.turn = range_turn,
	.back = range_back,
};
