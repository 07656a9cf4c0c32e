// SPDX-License-Identifier: BSD-2-Clause
/*
 * destroy_tvm. The id is gone with the first step; letting go of the host's
 * pages and taking the TVM's own back is all that is left, so a call that the
 * host does not come back to is finished rather than undone. Pages keep their
 * content: they are scrubbed before anybody else gets them.
 */
#include "call/call.h"

/* Entries of tables that a step looks at, and leaves that it finds */
#define ENTRIES_A_STEP	512
#define LEAVES_A_STEP	8

enum destroy_phase {
	DESTROY_UNSHARE,
	DESTROY_TAKE,
	DESTROY_PHASES,
};

/* a0 = TVM */
static s64 destroy_begin(struct long_call *call, const u64 *args)
{
	struct tvm *tvm;
	s64 error = tvm_lock(args[0], &tvm);

	if (error)
		return error;
	if (tvm->running) {
		error = COVE_ERR_FAILED;
	} else {
		call->root = tvm->root;
		call->shared = tvm->shared_pages;
		aia_release(tvm);
		call->slot = tvm_retire(tvm);
	}
	tvm_unlock(tvm);
	return error;
}

/* A large leaf is let go of in parts, as the tracker's lock asks for. */
static void unshare_part(struct long_call *call)
{
	struct leaf leaf = gstage_find(call->root, call->gpa);
	u64 size = leaf_size(leaf.level);
	u64 rest = size - (call->gpa & (size - 1));
	u64 part = rest >> PAGE_SHIFT;

	if (leaf.shared) {
		part = min_u64(part, PAGES_A_STEP);
		host_unshare(leaf.page, part);
		call->shared -= part;
	}
	call->gpa += part << PAGE_SHIFT;
}

static void unshare(struct long_call *call)
{
	unsigned int entries = ENTRIES_A_STEP;
	unsigned int leaves = LEAVES_A_STEP;

	while (call->shared && entries && leaves--) {
		call->gpa = gstage_next(call->root, call->gpa, GSTAGE_END,
					&entries);
		if (entries)
			unshare_part(call);
	}
	if (!call->shared)
		long_next_phase(call);
}

static s64 destroy_step(struct long_call *call)
{
	if (call->phase == DESTROY_UNSHARE) {
		unshare(call);
	} else if (pages_take(call->slot, PAGES_A_STEP) < PAGES_A_STEP) {
		tvm_free_slot(call->slot);
		long_next_phase(call);
	}
	return COVE_SUCCESS;
}

static enum long_way destroy_turn(struct long_call *call)
{
	(void)call;
	return LONG_FORWARD;
}

const struct long_kind destroy_tvm = {
	.phases = DESTROY_PHASES,
	.begin = destroy_begin,
	.step = destroy_step,
	.turn = destroy_turn,
};
