// SPDX-License-Identifier: BSD-2-Clause
/*
 * destroy_tvm. The id is gone with the first step; taking the pages back is
 * all that is left, so a call that the host does not come back to is finished
 * rather than undone. Pages keep their content: they are scrubbed before
 * anybody else gets them.
 */
#include "call/call.h"

/* a0 = TVM */
static s64 destroy_begin(struct long_call *call, const u64 *args)
{
	struct tvm *tvm;
	s64 error = tvm_lock(args[0], &tvm);

	if (error)
		return error;
	if (tvm->running)
		error = COVE_ERR_FAILED;
	else
		call->slot = tvm_retire(tvm);
	tvm_unlock(tvm);
	return error;
}

static s64 destroy_step(struct long_call *call)
{
	if (pages_take(call->slot, PAGES_A_STEP) < PAGES_A_STEP) {
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
	.phases = 1,
	.begin = destroy_begin,
	.step = destroy_step,
	.turn = destroy_turn,
};
