// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory for a TVM: measured pages before it is finalized, zero pages and
 * shared pages afterwards. The TVM is held while the call is open, so nothing
 * else takes or adds pages of it and the guest's regions stay what they are.
 *
 * The call counts in pages of 4 KiB, whatever the page type; a larger leaf is
 * mapped with the last of its pages. Once a guest may have seen a page of a
 * call, that call has no way back: there would have to be a fence.
 */
#include "call/call.h"

static u64 pages_a_leaf(const struct long_call *call)
{
	return leaf_size(call->level) >> PAGE_SHIFT;
}

static u64 next_gpa(const struct long_call *call)
{
	return call->gpa + (call->done << PAGE_SHIFT);
}

/* Page type and number of such pages; the count must not wrap. */
static s64 check_type(struct long_call *call, u64 type, u64 number)
{
	if (type >= GSTAGE_LEVELS)
		return COVE_ERR_INVALID_PARAM;
	call->level = type;
	if (!number || number > (~0UL >> PAGE_SHIFT) / pages_a_leaf(call))
		return COVE_ERR_INVALID_PARAM;
	call->count = number * pages_a_leaf(call);
	return COVE_SUCCESS;
}

/* Leaves lie on their own size, here and in the guest. */
static s64 check_places(const struct long_call *call)
{
	u64 rest = leaf_size(call->level) - 1;

	if ((call->base | call->gpa) & rest)
		return COVE_ERR_INVALID_ADDRESS;
	if (call->count > GSTAGE_END >> PAGE_SHIFT ||
	    !range_inside(call->gpa, call->count << PAGE_SHIFT, 0, GSTAGE_END))
		return COVE_ERR_INVALID_ADDRESS;
	return COVE_SUCCESS;
}

static s64 hold(struct long_call *call, u64 id, u32 state,
		enum region_kind kind)
{
	s64 error = tvm_lock_in_state(id, state, &call->tvm);

	if (error)
		return error;
	if (tvm_covers(call->tvm, call->gpa, call->count << PAGE_SHIFT, kind))
		tvm_hold(call->tvm);
	else
		error = COVE_ERR_INVALID_ADDRESS;
	tvm_unlock(call->tvm);
	return error;
}

/* The first of its leaves at or behind this page that has all of its pages. */
static u64 whole_leaves(const struct long_call *call, u64 pages)
{
	return pages / pages_a_leaf(call);
}

/* Nothing may be mapped there yet, and there must be tables for all of it. */
static s64 place(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP * pages_a_leaf(call));
	u64 gpa = next_gpa(call);
	u64 end = gpa + (part << PAGE_SHIFT);

	for (; gpa < end; gpa += leaf_size(call->level)) {
		if (!gstage_is_free(call->tvm->root, gpa, call->level))
			return COVE_ERR_INVALID_ADDRESS;
		call->tables += gstage_tables_missing(call->tvm->root, gpa,
						      call->level,
						      gpa != call->gpa);
	}
	if (call->tables > call->tvm->free_table_count)
		return COVE_ERR_OUT_OF_PTPAGES;
	long_advance(call, part);
	return COVE_SUCCESS;
}

static void map_leaves(struct long_call *call, u64 part, bool shared)
{
	u64 leaf = whole_leaves(call, call->done);
	u64 end = whole_leaves(call, call->done + part);
	u64 offset;

	for (; leaf < end; leaf++) {
		offset = leaf * leaf_size(call->level);
		gstage_map(call->tvm, call->gpa + offset, call->base + offset,
			   call->level, shared);
	}
}

static void map_own(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP);

	pages_give(long_next(call), part, PAGE_TVM_DATA, call->tvm->slot);
	map_leaves(call, part, false);
	long_advance(call, part);
}

/* The pages that were mapped last; the guest has never run. */
static void unmap_own(struct long_call *call)
{
	u64 end = whole_leaves(call, call->done);
	u64 part = long_part_back(call, PAGES_A_STEP);
	u64 leaf = whole_leaves(call, call->done);

	for (; leaf < end; leaf++)
		gstage_unmap(call->tvm->root,
			     call->gpa + leaf * leaf_size(call->level));
	pages_take_claimed(call->tvm->slot, part);
}

enum measured_phase {
	MEASURED_CLAIM,
	MEASURED_PLACE,
	MEASURED_FILL,
	MEASURED_MAP,
	MEASURED_PHASES,
};

/* a0 = TVM, a1 = source, a2 = target, a3 = page type, a4 = pages, a5 = GPA */
static s64 measured_begin(struct long_call *call, const u64 *args)
{
	s64 error;

	call->source = args[1];
	call->base = args[2];
	call->gpa = args[5];
	error = check_type(call, args[3], args[4]);
	if (!error)
		error = pages_check_range(call->base, call->count);
	if (!error)
		error = check_places(call);
	if (error)
		return error;
	if (!page_aligned(call->source))
		return COVE_ERR_INVALID_ADDRESS;
	error = hold(call, args[0], COVE_TVM_STATE_INITIALIZING,
		     REGION_CONFIDENTIAL);
	if (!error)
		memcpy(call->digest, call->tvm->pages_digest, DIGEST_SIZE);
	return error;
}

static s64 measured_claim(struct long_call *call)
{
	u64 source = call->source + (call->done << PAGE_SHIFT);
	u64 part = long_part(call, PAGES_A_STEP);
	s64 error = host_check(source, part << PAGE_SHIFT);

	return error ? error : long_claim(call, PAGE_UNASSIGNED);
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

static s64 measured_step(struct long_call *call)
{
	switch (call->phase) {
	case MEASURED_CLAIM:
		return measured_claim(call);
	case MEASURED_PLACE:
		return place(call);
	case MEASURED_FILL:
		return measured_fill(call);
	default:
		map_own(call);
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
	if (call->phase != MEASURED_MAP || !call->done)
		return long_unclaim_and_let_go(call);
	unmap_own(call);
	return false;
}

const struct long_kind add_tvm_measured_pages = {
	.phases = MEASURED_PHASES,
	.begin = measured_begin,
	.step = measured_step,
	.turn = long_turn_back,
	.back = measured_back,
};

enum zero_phase {
	ZERO_CLAIM,
	ZERO_PLACE,
	ZERO_SCRUB,
	ZERO_MAP,
	ZERO_PHASES,
};

/* a0 = TVM, a1 = base, a2 = page type, a3 = pages, a4 = GPA */
static s64 zero_begin(struct long_call *call, const u64 *args)
{
	s64 error;

	call->base = args[1];
	call->gpa = args[4];
	error = check_type(call, args[2], args[3]);
	if (!error)
		error = pages_check_range(call->base, call->count);
	if (!error)
		error = check_places(call);
	return error ? error : hold(call, args[0], COVE_TVM_STATE_RUNNABLE,
				    REGION_CONFIDENTIAL);
}

static s64 zero_step(struct long_call *call)
{
	switch (call->phase) {
	case ZERO_CLAIM:
		return long_claim(call, PAGE_UNASSIGNED);
	case ZERO_PLACE:
		return place(call);
	case ZERO_SCRUB:
		long_scrub(call);
		return COVE_SUCCESS;
	default:
		map_own(call);
	}
	if (call->phase == ZERO_PHASES)
		tvm_let_go(call->tvm);
	return COVE_SUCCESS;
}

static enum long_way zero_turn(struct long_call *call)
{
	return call->phase == ZERO_MAP ? LONG_FORWARD : LONG_BACK;
}

const struct long_kind add_tvm_zero_pages = {
	.phases = ZERO_PHASES,
	.begin = zero_begin,
	.step = zero_step,
	.turn = zero_turn,
	.back = long_unclaim_and_let_go,
};

enum shared_phase {
	SHARED_COUNT,
	SHARED_PLACE,
	SHARED_MAP,
	SHARED_PHASES,
};

/* a0 = TVM, a1 = base, a2 = page type, a3 = pages, a4 = GPA */
static s64 shared_begin(struct long_call *call, const u64 *args)
{
	s64 error;

	call->base = args[1];
	call->gpa = args[4];
	error = check_type(call, args[2], args[3]);
	if (!error)
		error = check_places(call);
	return error ? error : hold(call, args[0], COVE_TVM_STATE_RUNNABLE,
				    REGION_SHARED);
}

/* From here on none of them can become confidential. */
static s64 shared_count(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP);
	s64 error = host_share(long_next(call), part);

	if (!error)
		long_advance(call, part);
	return error;
}

static void shared_map(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP * pages_a_leaf(call));

	map_leaves(call, part, true);
	call->tvm->shared_pages += part;
	long_advance(call, part);
}

static s64 shared_step(struct long_call *call)
{
	switch (call->phase) {
	case SHARED_COUNT:
		return shared_count(call);
	case SHARED_PLACE:
		return place(call);
	default:
		shared_map(call);
	}
	if (call->phase == SHARED_PHASES)
		tvm_let_go(call->tvm);
	return COVE_SUCCESS;
}

static enum long_way shared_turn(struct long_call *call)
{
	return call->phase == SHARED_MAP ? LONG_FORWARD : LONG_BACK;
}

static bool shared_back(struct long_call *call)
{
	u64 part;

	/* Behind the first phase all pages are counted. */
	if (call->phase != SHARED_COUNT)
		call->done = call->count;
	call->phase = SHARED_COUNT;
	part = long_part_back(call, PAGES_A_STEP);
	host_unshare(long_next(call), part);
	if (call->done)
		return false;
	tvm_let_go(call->tvm);
	return true;
}

const struct long_kind add_tvm_shared_pages = {
	.phases = SHARED_PHASES,
	.begin = shared_begin,
	.step = shared_step,
	.turn = shared_turn,
	.back = shared_back,
};
