// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages for a TVM: page tables and measured memory. The TVM is held while the
 * call is open, so nothing else takes or adds pages of it and what was given
 * last can be taken back.
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

/* The end of every way back: only then may others have the TVM. */
static bool unclaim_and_let_go(struct long_call *call)
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
		return unclaim_and_let_go(call);
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

enum measured_phase {
	MEASURED_CLAIM,
	MEASURED_PLACE,
	MEASURED_FILL,
	MEASURED_MAP,
	MEASURED_PHASES,
};

static u64 next_gpa(const struct long_call *call)
{
	return call->gpa + (call->done << PAGE_SHIFT);
}

static s64 measured_check(const struct long_call *call, u64 page_type)
{
	s64 error;

	if (page_type != COVE_TVM_PAGE_4K)
		return COVE_ERR_INVALID_PARAM;
	error = pages_check_range(call->base, call->count);
	if (error)
		return error;
	/* The count is that of pages in the pool: sizes cannot wrap here. */
	if (!page_aligned(call->source) || !page_aligned(call->gpa) ||
	    !range_inside(call->gpa, call->count << PAGE_SHIFT, 0, GSTAGE_END))
		return COVE_ERR_INVALID_ADDRESS;
	return COVE_SUCCESS;
}

static s64 measured_hold(struct long_call *call, u64 id)
{
	s64 error = tvm_lock_in_state(id, COVE_TVM_STATE_INITIALIZING,
				      &call->tvm);

	if (error)
		return error;
	if (!tvm_covers(call->tvm, call->gpa, call->count << PAGE_SHIFT)) {
		error = COVE_ERR_INVALID_ADDRESS;
	} else {
		tvm_hold(call->tvm);
		memcpy(call->digest, call->tvm->pages_digest, DIGEST_SIZE);
	}
	tvm_unlock(call->tvm);
	return error;
}

/* a0 = TVM, a1 = source, a2 = target, a3 = page type, a4 = pages, a5 = GPA */
static s64 measured_begin(struct long_call *call, const u64 *args)
{
	s64 error;

	call->source = args[1];
	call->base = args[2];
	call->count = args[4];
	call->gpa = args[5];
	error = measured_check(call, args[3]);
	return error ? error : measured_hold(call, args[0]);
}

static s64 measured_claim(struct long_call *call)
{
	u64 source = call->source + (call->done << PAGE_SHIFT);
	u64 part = long_part(call, PAGES_A_STEP);
	s64 error = host_check(source, part << PAGE_SHIFT);

	return error ? error : long_claim(call, PAGE_UNASSIGNED);
}

/* Nothing may be mapped there yet, and there must be tables for all of it. */
static s64 measured_place(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP);
	u64 gpa = next_gpa(call);
	u64 end = gpa + (part << PAGE_SHIFT);

	for (; gpa < end; gpa += PAGE_SIZE) {
		if (gstage_lookup(call->tvm->root, gpa))
			return COVE_ERR_INVALID_ADDRESS;
		call->tables += gstage_tables_missing(call->tvm->root, gpa,
						      gpa != call->gpa);
	}
	if (call->tables > call->tvm->free_table_count)
		return COVE_ERR_OUT_OF_PTPAGES;
	long_advance(call, part);
	return COVE_SUCCESS;
}

/*
 * One page a step, because a hash costs as much as forty copies. It is taken
 * over the copy, which the host cannot change any more.
 */
static s64 measured_fill(struct long_call *call)
{
	u64 source = call->source + (call->done << PAGE_SHIFT);
	u64 page = long_next(call);
	s64 error = host_copy_in(phys_to_virt(page), source, PAGE_SIZE);

	if (error)
		return error;
	measure_page(call->digest, next_gpa(call), page);
	long_advance(call, 1);
	return COVE_SUCCESS;
}

static void measured_map(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP);
	u64 i;

	pages_give(long_next(call), part, PAGE_TVM_DATA, call->tvm->slot);
	for (i = 0; i < part; i++)
		gstage_map(call->tvm, next_gpa(call) + (i << PAGE_SHIFT),
			   long_next(call) + (i << PAGE_SHIFT));
	long_advance(call, part);
}

static s64 measured_step(struct long_call *call)
{
	switch (call->phase) {
	case MEASURED_CLAIM:
		return measured_claim(call);
	case MEASURED_PLACE:
		return measured_place(call);
	case MEASURED_FILL:
		return measured_fill(call);
	default:
		measured_map(call);
	}
	if (call->phase == MEASURED_PHASES) {
		memcpy(call->tvm->pages_digest, call->digest, DIGEST_SIZE);
		tvm_let_go(call->tvm);
	}
	return COVE_SUCCESS;
}

/* Empty tables that a mapping has taken stay in place: they are the TVM's. */
static bool measured_back(struct long_call *call)
{
	u64 part, i;

	if (call->phase != MEASURED_MAP || !call->done)
		return unclaim_and_let_go(call);
	part = long_part_back(call, PAGES_A_STEP);
	for (i = 0; i < part; i++)
		gstage_unmap(call->tvm->root, next_gpa(call) +
					      (i << PAGE_SHIFT));
	pages_take_claimed(call->tvm->slot, part);
	return false;
}

const struct long_kind add_tvm_measured_pages = {
	.phases = MEASURED_PHASES,
	.begin = measured_begin,
	.step = measured_step,
	.turn = long_turn_back,
	.back = measured_back,
};
