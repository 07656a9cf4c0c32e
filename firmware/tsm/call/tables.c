// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages for a TVM's page tables. The TVM is held while the call is open, so
 * nothing else takes or adds pages of it and what was given last can be taken
 * back.
 */
#include "call/call.h"

enum tables_phase {
	TABLES_CLAIM,
	TABLES_SCRUB,
	TABLES_GIVE,
	TABLES_PHASES,
};

/* a0 = TVM, a1 = base, a2 = pages */
static s64 tables_begin(struct long_call *call, const u64 *args)
{
	s64 error;

	call->base = args[1];
	call->count = args[2];
	call->no_value = true;
	error = pages_check_range(call->base, call->count);
	if (!error)
		error = tvm_lock(args[0], &call->tvm);
	if (error)
		return error;
	tvm_hold(call->tvm);
	tvm_unlock(call->tvm);
	return COVE_SUCCESS;
}

static void tables_give(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP);
	u64 page = long_next(call);
	u64 end = page + (part << PAGE_SHIFT);

	pages_give(page, part, PAGE_TVM_PT, call->tvm->slot);
	for (; page < end; page += PAGE_SIZE)
		gstage_add_table(call->tvm, page);
	long_advance(call, part);
}

static s64 tables_step(struct long_call *call)
{
	switch (call->phase) {
	case TABLES_CLAIM:
		return long_claim(call, PAGE_UNASSIGNED);
	case TABLES_SCRUB:
		long_scrub(call);
		break;
	default:
		tables_give(call);
	}
	if (call->phase == TABLES_PHASES)
		tvm_let_go(call->tvm);
	return COVE_SUCCESS;
}

bool long_unclaim_and_let_go(struct long_call *call)
{
	if (!long_unclaim(call))
		return false;
	tvm_let_go(call->tvm);
	return true;
}

static bool tables_back(struct long_call *call)
{
	u64 part, i;

	if (call->phase != TABLES_GIVE || !call->done)
		return long_unclaim_and_let_go(call);
	part = long_part_back(call, PAGES_A_STEP);
	for (i = 0; i < part; i++)
		gstage_take_table(call->tvm);
	pages_take_claimed(call->tvm->slot, part);
	return false;
}

const struct long_kind add_tvm_page_table_pages = {
	.phases = TABLES_PHASES,
	.begin = tables_begin,
	.step = tables_step,
	.turn = long_turn_back,
	.back = tables_back,
};
