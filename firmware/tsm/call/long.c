// SPDX-License-Identifier: BSD-2-Clause
/*
 * Long calls. Between two steps the TSM looks at the host's interrupts; if
 * one waits, the hart goes back to the host and the progress stays here until
 * the host makes the same call again on this hart. Short calls that touch no
 * page may come in between: the host's interrupt handlers make them.
 *
 * What a call has claimed it keeps while it is open. A hart that stops would
 * keep it until it calls again, so the others may end its call for it: whoever
 * works on an open call has its lock, and a hart's own call is touched by
 * another hart only while M-mode says that the hart does not run the host.
 */
#include "call/call.h"

static struct long_call open_call[COVE_MAX_HARTS];
static struct spinlock open_lock[COVE_MAX_HARTS];

/* This hart's last call met pages or a TVM that a stopped hart may keep. */
static bool others_in_the_way[COVE_MAX_HARTS];

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
	memset(open_lock, 0, sizeof(open_lock));
	memset(kept_answer, 0, sizeof(kept_answer));
	memset(others_in_the_way, 0, sizeof(others_in_the_way));
}

static struct long_call *current(void)
{
	return &open_call[arch_hart()];
}

/* Only its own hart opens a call, so none is none until that hart acts. */
static bool is_open(const struct long_call *call)
{
	return __atomic_load_n(&call->kind, __ATOMIC_ACQUIRE);
}

bool long_to_settle(void)
{
	return is_open(current()) || others_in_the_way[arch_hart()];
}

/*
 * Another hart may be ending this one's call, which it began while this hart
 * was stopped. It holds the lock for one step only.
 */
static void lock_own(void)
{
	spin_lock(&open_lock[arch_hart()]);
}

static void unlock_own(void)
{
	spin_unlock(&open_lock[arch_hart()]);
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

	/* As many pages as the host has counted them. */
	if (!call->error && !call->no_value)
		answer.value = call->count >> (9 * call->level);
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
	lock_own();
	memset(open, 0, sizeof(*open));
	memcpy(open->args, call->args, sizeof(open->args));
	error = kind->begin(open, call->args);
	if (error) {
		unlock_own();
		return answer_error(error);
	}
	open->kind = kind;
	answer = go_on(open);
	unlock_own();
	return answer;
}

bool long_resume(const struct teecall *call, struct answer *answer)
{
	struct long_call *open = current();
	bool same;

	if (!is_open(open))
		return false;
	lock_own();
	/*
	 * M-mode's resume mark is not asked for: it is lost when the host's
	 * interrupt handler made a short call in between.
	 */
	same = open->kind && !open->dropped &&
	       !memcmp(open->args, call->args, sizeof(open->args));
	if (same)
		*answer = go_on(open);
	unlock_own();
	return same;
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

/* A step of a call that nobody waits for; true when it was the last one. */
static bool drop_step(struct long_call *call)
{
	if (!call->dropped)
		give_up(call);
	return step(call);
}

static bool drop_own(struct long_call *open)
{
	while (is_open(open)) {
		lock_own();
		if (open->kind && drop_step(open))
			end_dropped(open);
		unlock_own();
		if (arch_interrupt_pending())
			return false;
	}
	return true;
}

static bool stopped(unsigned int hart)
{
	return !(tsmd_harts_running() >> hart & 1);
}

/*
 * One step towards the end of another hart's call, if that hart has stopped.
 * M-mode is asked with the lock held, so the hart cannot have come back and
 * opened a new call. Once the call is marked as dropped it is nobody's: a hart
 * that comes back goes on with the same steps.
 * @return false when there is nothing left to do
 */
static bool stopped_step(unsigned int hart)
{
	struct long_call *open = &open_call[hart];
	bool ours;

	/* Held means that the hart is back and sees to it. */
	if (!spin_trylock(&open_lock[hart]))
		return false;
	ours = open->kind && (open->dropped || stopped(hart));
	/* Nobody executes that call again: it leaves no answer. */
	if (ours && drop_step(open))
		open->kind = NULL;
	spin_unlock(&open_lock[hart]);
	return ours;
}

/* At least one step is done before the host gets its hart. */
static bool drop_stopped(void)
{
	unsigned int hart;

	for (hart = 0; hart < COVE_MAX_HARTS; hart++)
		while (hart != arch_hart() && is_open(&open_call[hart]) &&
		       stopped_step(hart))
			if (arch_interrupt_pending())
				return false;
	return true;
}

/*
 * The call that comes after it has not begun, so there is nothing to remember
 * of it: the host makes it again, and it is a new call then as it is now.
 */
bool long_drop(void)
{
	unsigned int hart = arch_hart();

	if (!drop_own(current()))
		return false;
	if (others_in_the_way[hart] && !drop_stopped())
		return false;
	others_in_the_way[hart] = false;
	return true;
}

bool long_stopped_in_the_way(s64 error)
{
	unsigned int hart;

	if (error != COVE_ERR_INVALID_ADDRESS && error != COVE_ERR_BUSY)
		return false;
	for (hart = 0; hart < COVE_MAX_HARTS; hart++)
		if (hart != arch_hart() && is_open(&open_call[hart]) &&
		    stopped(hart)) {
			others_in_the_way[arch_hart()] = true;
			return true;
		}
	return false;
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
