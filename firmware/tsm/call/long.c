// SPDX-License-Identifier: BSD-2-Clause
/*
 * Long calls. Between two steps the TSM looks at the host's interrupts; if
 * one waits, the hart goes back to the host and the progress stays here until
 * the host makes the same call again on this hart. Each hart touches only its
 * own progress, so there is no lock.
 */
#include "call/call.h"

static struct long_call open_call[COVE_MAX_HARTS];

/*
 * A call that was given up beyond the point of no return. It has happened, so
 * if the host executes it again, as it does after calls that its interrupt
 * handlers made, it gets the answer to what it asked for and no error.
 */
static struct {
	bool valid;
	u64 args[8];
	struct answer answer;
} kept_answer[COVE_MAX_HARTS];

void long_init(void)
{
	memset(open_call, 0, sizeof(open_call));
	memset(kept_answer, 0, sizeof(kept_answer));
}

static struct long_call *current(void)
{
	return &open_call[arch_hart()];
}

bool long_is_open(void)
{
	return current()->kind;
}

/* One step; true when it was the last one. */
static bool step(struct long_call *call)
{
	s64 error;

	if (call->way == LONG_BACK)
		return call->kind->back(call);
	error = call->kind->step(call);
	if (error) {
		call->error = error;
		call->way = call->kind->turn(call);
	}
	return call->phase == call->kind->phases;
}

static struct answer finish(struct long_call *call)
{
	struct answer answer = { .error = call->error };

	if (!call->error)
		answer.value = call->count;
	call->kind = NULL;
	return answer;
}

static struct answer go_on(struct long_call *call)
{
	while (!step(call))
		/* A step has been done, so every resume makes progress. */
		if (arch_interrupt_pending())
			return (struct answer){ .interrupted = true };
	return finish(call);
}

/* The next long call on the hart takes the kept answer or ends its time. */
static bool take_kept_answer(const struct teecall *call, struct answer *answer)
{
	unsigned int hart = arch_hart();
	bool valid = kept_answer[hart].valid;

	kept_answer[hart].valid = false;
	*answer = kept_answer[hart].answer;
	return valid && !memcmp(kept_answer[hart].args, call->args,
				sizeof(call->args));
}

struct answer long_start(const struct long_kind *kind,
			 const struct teecall *call)
{
	struct long_call *open = current();
	struct answer answer;
	s64 error;

	if (take_kept_answer(call, &answer))
		return answer;
	memset(open, 0, sizeof(*open));
	memcpy(open->args, call->args, sizeof(open->args));
	error = kind->begin(open, call->args);
	if (error)
		return answer_error(error);
	open->kind = kind;
	return go_on(open);
}

bool long_resume(const struct teecall *call, struct answer *answer)
{
	struct long_call *open = current();

	if (!open->kind || open->dropped ||
	    call->resume != COVE_TEECALL_RESUME ||
	    memcmp(open->args, call->args, sizeof(open->args)))
		return false;
	*answer = go_on(open);
	return true;
}

static void give_up(struct long_call *call)
{
	call->dropped = true;
	/* One that has failed is on its way back already. */
	if (call->way == LONG_FORWARD)
		call->way = call->kind->turn(call);
}

static void keep_answer(struct long_call *call)
{
	unsigned int hart = arch_hart();

	kept_answer[hart].valid = true;
	memcpy(kept_answer[hart].args, call->args, sizeof(call->args));
	kept_answer[hart].answer = finish(call);
}

static void end_dropped(struct long_call *call)
{
	if (call->way == LONG_FORWARD)
		keep_answer(call);
	else
		call->kind = NULL;
}

/*
 * The call that comes after it has not begun, so there is nothing to remember
 * of it: the host makes it again, and it is a new call then as it is now.
 */
bool long_drop(void)
{
	struct long_call *open = current();

	if (open->kind && !open->dropped)
		give_up(open);
	while (open->kind) {
		if (step(open))
			end_dropped(open);
		if (arch_interrupt_pending())
			return false;
	}
	return true;
}

u64 long_next(const struct long_call *call)
{
	return call->base + (call->done << PAGE_SHIFT);
}

u64 long_part(const struct long_call *call, u64 limit)
{
	return min_u64(call->count - call->done, limit);
}

void long_next_phase(struct long_call *call)
{
	call->phase++;
	call->done = 0;
}

void long_advance(struct long_call *call, u64 pages)
{
	call->done += pages;
	if (call->done == call->count)
		long_next_phase(call);
}

s64 long_claim(struct long_call *call, unsigned int state)
{
	u64 part = long_part(call, PAGES_A_STEP);
	s64 error = pages_claim(long_next(call), part, state);

	if (!error)
		long_advance(call, part);
	return error;
}

void long_scrub(struct long_call *call)
{
	u64 part = long_part(call, SCRUBS_A_STEP);

	pages_scrub(long_next(call), part);
	long_advance(call, part);
}

u64 long_part_back(struct long_call *call, u64 limit)
{
	u64 part = min_u64(call->done, limit);

	call->done -= part;
	return part;
}

enum long_way long_turn_back(struct long_call *call)
{
	(void)call;
	return LONG_BACK;
}

bool long_unclaim(struct long_call *call)
{
	u64 part;

	/* Behind the first phase all pages are claimed. */
	if (call->phase)
		call->done = call->count;
	call->phase = 0;
	part = long_part_back(call, PAGES_A_STEP);
	pages_unclaim(long_next(call), part);
	return !call->done;
}
