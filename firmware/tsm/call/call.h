/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of the host. Every one goes the same way: validate the arguments,
 * find and lock what they name, check its state, act, unlock. An error means
 * that nothing has changed.
 */
#ifndef TSM_CALL_H
#define TSM_CALL_H

#include "arch/arch.h"
#include "crypto/crypto.h"
#include "lib/lib.h"
#include "tvm/tvm.h"

/** Registers of a TEECALL; entry.S builds it */
struct teecall {
	/** a0 to a7 */
	u64 args[8];
	/** COVE_TEECALL_RESUME: M-mode saw no other call since the interruption */
	u64 resume;
};

/** A call that is done in one go */
typedef struct answer (*call_handler)(const u64 *args);

/** Answer with nothing but an error code */
static inline struct answer answer_error(s64 error)
{
	return (struct answer){ .error = error };
}

/** dispatch.c: do the call; called with the TSM's stack, returns to entry.S */
struct answer call_dispatch(const struct teecall *call);

/* info.c, build.c */
struct answer covh_get_tsm_info(const u64 *args);
struct answer covh_global_fence(const u64 *args);
struct answer covh_local_fence(const u64 *args);
struct answer covh_create_tvm(const u64 *args);
struct answer covh_finalize_tvm(const u64 *args);
struct answer covh_add_tvm_memory_region(const u64 *args);
struct answer covh_create_tvm_vcpu(const u64 *args);

/* fence.c */
struct answer covh_tvm_fence(const u64 *args);
struct answer covh_promote_page(const u64 *args);
struct answer covh_demote_page(const u64 *args);

/*
 * Long calls: done in steps of bounded size, with a look at the host's
 * interrupts between them (rdsm-tsm.md section 3). That holds on the way back
 * too: a call that fails, or that the host gives up, is undone in steps.
 */

struct long_call;

/** Where a call goes */
enum long_way {
	LONG_FORWARD,
	LONG_BACK,
};

/** One call that takes steps */
struct long_kind {
	/** The call is done when it has been through phases 0 to phases - 1 */
	unsigned int phases;
	/** Check the arguments and fill in the call; @return COVE_ error */
	s64 (*begin)(struct long_call *call, const u64 *args);
	/** Do a bounded part; @return COVE_ error, which turns the call back */
	s64 (*step)(struct long_call *call);
	/**
	 * The call is to end without success: is there a way back? If not, it
	 * goes on to its end, and no step may fail any more.
	 */
	enum long_way (*turn)(struct long_call *call);
	/** Undo a bounded part; @return true when nothing is left of the call */
	bool (*back)(struct long_call *call);
};

/** Progress of a long call; at most one on each hart */
struct long_call {
	/** NULL: none is open */
	const struct long_kind *kind;
	/** a0 to a7 as the host passed them */
	u64 args[8];
	enum long_way way;
	/** The host has given it up: nobody waits for its answer */
	bool dropped;
	/** Its answer */
	s64 error;
	/** Which part of the call; each kind has its own */
	unsigned int phase;
	/** Pages that the call works on, and how far the phase has come */
	u64 base;
	u64 count;
	u64 done;
	/** Kept from other calls by tvm_hold() */
	struct tvm *tvm;
	/** Of a TVM that is being destroyed */
	unsigned int slot;
	u64 root;
	u64 shared;
	/** Level of the leaves that are mapped */
	unsigned int level;
	/** The answer to success is 0, not the number of pages */
	bool no_value;
	/** Of pages that are mapped */
	u64 source;
	u64 gpa;
	u64 tables;
	u8 digest[DIGEST_SIZE];
};

extern const struct long_kind convert_pages;
extern const struct long_kind reclaim_pages;
extern const struct long_kind destroy_tvm;
extern const struct long_kind add_tvm_page_table_pages;
extern const struct long_kind add_tvm_measured_pages;
extern const struct long_kind add_tvm_zero_pages;
extern const struct long_kind add_tvm_shared_pages;
extern const struct long_kind tvm_invalidate_pages;
extern const struct long_kind tvm_validate_pages;
extern const struct long_kind tvm_remove_pages;

/* long.c */

/** No call is open on any hart */
void long_init(void);

/** Do a long call until it is done or the host is wanted */
struct answer long_start(const struct long_kind *kind,
			 const struct teecall *call);

/** Something is to be resumed or dropped before a new call; nearly never */
bool long_to_settle(void);

/** Go on with the open call of this hart; false if it is another one */
bool long_resume(const struct teecall *call, struct answer *answer);

/**
 * End this hart's open call, if there is one, without success; and those of
 * stopped harts after long_stopped_in_the_way().
 * @return false if the host is wanted first: the same again later
 */
bool long_drop(void);

/**
 * A call was refused with this error: may an open call of a hart that does not
 * run the host be the reason? Then the call is to be made again, and the next
 * long_drop() of this hart ends the open one first.
 */
bool long_stopped_in_the_way(s64 error);

/** Address of the first page that the phase has not done yet */
u64 long_next(const struct long_call *call);

/** Pages of the next step, at most limit */
u64 long_part(const struct long_call *call, u64 limit);

/** Pages are done; behind the last one the next phase begins */
void long_advance(struct long_call *call, u64 pages);

/** A phase that takes one step is done */
void long_next_phase(struct long_call *call);

/** A step of the first phase: claim pages that are in this state */
s64 long_claim(struct long_call *call, unsigned int state);

/** A step that fills pages with zeros */
void long_scrub(struct long_call *call);

/** Pages of the next step back, at most limit; the phase counts them off */
u64 long_part_back(struct long_call *call, u64 limit);

/** A turn with nothing that could be in the way back */
enum long_way long_turn_back(struct long_call *call);

/** A step back through the claims, while no page has been moved on yet */
bool long_unclaim(struct long_call *call);

/** The same, and at its end others may have the TVM that is held; tables.c */
bool long_unclaim_and_let_go(struct long_call *call);

#endif
