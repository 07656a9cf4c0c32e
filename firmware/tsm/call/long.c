// SPDX-License-Identifier: BSD-2-Clause
/*
 * Long calls. Between two steps the TSM looks at the host's interrupts; if
 * one waits, the hart goes back to the host and the progress stays here until
 * the host makes the same call again on this hart. Each hart touches only its
 * own progress, so there is no lock.
 */
#include "call/call.h"

static struct long_call open_call[COVE_MAX_HARTS];

void long_init(void)
{
	memset(open_call, 0, sizeof(open_call));
}

static struct long_call *current(void)
{
	return &open_call[arch_hart()];
}

static struct answer finish(struct long_call *call, s64 error)
{
	struct answer answer = { .error = error };

	if (error)
		call->kind->drop(call);
	else
		answer.value = call->count;
	call->kind = NULL;
	return answer;
}

static struct answer go_on(struct long_call *call)
{
	s64 error;

	for (;;) {
		error = call->kind->step(call);
		if (error || call->phase == call->kind->phases)
			return finish(call, error);
		/* A step has been done, so every resume makes progress. */
		if (arch_interrupt_pending())
			return (struct answer){ .interrupted = true };
	}
}

struct answer long_start(const struct long_kind *kind,
			 const struct teecall *call)
{
	struct long_call *open = current();
	s64 error;

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

	if (!open->kind || call->resume != COVE_TEECALL_RESUME ||
	    memcmp(open->args, call->args, sizeof(open->args)))
		return false;
	*answer = go_on(open);
	return true;
}

void long_drop(void)
{
	struct long_call *open = current();

	if (!open->kind)
		return;
	open->kind->drop(open);
	open->kind = NULL;
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

void long_unclaim_rest(struct long_call *call)
{
	pages_unclaim(long_next(call), call->count - call->done);
}

void long_unclaim(struct long_call *call)
{
	pages_unclaim(call->base, call->phase ? call->count : call->done);
}
