// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages between the host and the confidential world. Who may touch a page is
 * M-mode's to enforce: it is asked once for the whole range, at the point
 * where all pages are known to be right and none has changed.
 */
#include "call/call.h"

static s64 begin_range(struct long_call *call, const u64 *args)
{
	call->base = args[0];
	call->count = args[1];
	return pages_check_range(call->base, call->count);
}

enum convert_phase {
	CONVERT_CLAIM,
	CONVERT_ASSIGN,
	CONVERT_MARK,
	CONVERT_UNCLAIM,
	CONVERT_PHASES,
};

static s64 convert_assign(struct long_call *call)
{
	s64 error = tsmd_assign(call->base, call->count);

	if (!error)
		long_next_phase(call);
	return error;
}

static s64 convert_step(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP);

	switch (call->phase) {
	case CONVERT_CLAIM:
		return long_claim(call, PAGE_HOST);
	case CONVERT_ASSIGN:
		return convert_assign(call);
	case CONVERT_MARK:
		pages_mark(long_next(call), part, PAGE_CONVERTING);
		break;
	default:
		pages_unclaim(long_next(call), part);
	}
	long_advance(call, part);
	return COVE_SUCCESS;
}

static enum long_way convert_turn(struct long_call *call)
{
	switch (call->phase) {
	case CONVERT_MARK:
		/*
		 * The range is assigned, and holds what the host left in it:
		 * nothing to scrub. Without an isolation entry for the hole it
		 * stays converted.
		 */
		return tsmd_release(call->base, call->count) ? LONG_FORWARD :
							       LONG_BACK;
	case CONVERT_UNCLAIM:
		/* Others may work on the first pages: it has happened. */
		return LONG_FORWARD;
	default:
		return LONG_BACK;
	}
}

static bool convert_back(struct long_call *call)
{
	u64 part;

	if (call->phase != CONVERT_MARK || !call->done)
		return long_unclaim(call);
	part = long_part_back(call, PAGES_A_STEP);
	pages_mark(long_next(call), part, PAGE_HOST);
	return false;
}

const struct long_kind convert_pages = {
	.phases = CONVERT_PHASES,
	.begin = begin_range,
	.step = convert_step,
	.turn = convert_turn,
	.back = convert_back,
};

enum reclaim_phase {
	RECLAIM_CLAIM,
	RECLAIM_SCRUB,
	RECLAIM_RELEASE,
	RECLAIM_MARK,
	RECLAIM_PHASES,
};

static s64 reclaim_release(struct long_call *call)
{
	s64 error = tsmd_release(call->base, call->count);

	/* Refused, the pages stay unassigned; that they are zero is no harm. */
	if (!error)
		long_next_phase(call);
	return error;
}

static s64 reclaim_step(struct long_call *call)
{
	u64 part = long_part(call, PAGES_A_STEP);

	switch (call->phase) {
	case RECLAIM_CLAIM:
		return long_claim(call, PAGE_UNASSIGNED);
	case RECLAIM_SCRUB:
		long_scrub(call);
		return COVE_SUCCESS;
	case RECLAIM_RELEASE:
		return reclaim_release(call);
	default:
		pages_move(long_next(call), part, PAGE_HOST);
		long_advance(call, part);
		return COVE_SUCCESS;
	}
}

static enum long_way reclaim_turn(struct long_call *call)
{
	/* Once M-mode has given the range back, there is no way but on. */
	return call->phase == RECLAIM_MARK ? LONG_FORWARD : LONG_BACK;
}

const struct long_kind reclaim_pages = {
	.phases = RECLAIM_PHASES,
	.begin = begin_range,
	.step = reclaim_step,
	.turn = reclaim_turn,
	.back = long_unclaim,
};
