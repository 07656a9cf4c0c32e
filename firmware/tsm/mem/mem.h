/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who owns which page. The tracker knows every 4 KiB page of the pool; all
 * other memory is plain host RAM or nobody's business.
 *
 * Lock order: TVM slot lock (tvm/tvm.h), then the tracker's lock, then the
 * log's. The tracker's lock is taken inside these functions only.
 *
 * Page states and who changes them:
 *
 *   HOST --convert--> CONVERTING --fence--> UNASSIGNED --reclaim--> HOST
 *   UNASSIGNED --create, add--> TVM_* --destroy--> UNASSIGNED
 *
 * Every change has two steps. A call first *claims* the pages in the state it
 * expects; a claimed page is in no state as far as other calls are concerned.
 * Then it moves them on, or unclaims them and nothing has happened. Claims
 * outlive an interrupted call; no lock does.
 */
#ifndef TSM_MEM_H
#define TSM_MEM_H

#include "abi/teecall.h"
#include "lib/lib.h"

/** Owners of pages are TVM slots, 0 to PAGE_OWNERS - 1 */
#define PAGE_OWNERS	64

/** Pages of bookkeeping between two looks at pending interrupts */
#define PAGES_A_STEP	64

/** Pages copied or scrubbed between two looks at pending interrupts */
#define SCRUBS_A_STEP	16

/* pages.c: the tracker */

/** Put the page array behind the image; panics when it does not fit */
void pages_init(const struct tsm_boot_info *info, u64 image_end);

/** @return COVE_ error if this is not a range of pages in the pool */
s64 pages_check_range(u64 base, u64 count);

/** State as other calls see it: a fenced CONVERTING page is UNASSIGNED */
unsigned int page_state(u64 page);

/**
 * Claim all pages of a checked range, or none.
 * @return COVE_ERR_INVALID_ADDRESS if one is in another state or claimed
 */
s64 pages_claim(u64 base, u64 count, unsigned int state);

/** Take the claim off; the pages are in the state they were in */
void pages_unclaim(u64 base, u64 count);

/** Change the state of claimed pages; the claim stays */
void pages_mark(u64 base, u64 count, unsigned int state);

/** Change the state of claimed pages and unclaim them */
void pages_move(u64 base, u64 count, unsigned int state);

/** Hand claimed pages to an owner, in one of the TVM_ states */
void pages_give(u64 base, u64 count, unsigned int state, unsigned int owner);

/**
 * Take back the pages an owner got last; they are UNASSIGNED and hold what
 * they held.
 * @return pages taken, fewer than count when the owner has no more
 */
u64 pages_take(unsigned int owner, u64 count);

/** The same, and the pages are claimed: the way back from pages_give() */
u64 pages_take_claimed(unsigned int owner, u64 count);

/** Take these pages back from their owner; they are UNASSIGNED */
void pages_release(u64 base, u64 count, unsigned int owner);


/** Take the tracker's lock; for the files of this room */
void pages_lock(void);
void pages_unlock(void);

/** The page is in the pool and not the host's; tracker locked */
bool page_is_withheld(u64 page);

/** A mapping of this page of the host's more or less; tracker locked */
void page_count_share(u64 page, int change);

/* scrub.c: pages of zeros */

/** Find out whether the harts have an instruction for it */
void scrub_init(const struct tsm_boot_info *info);

/** Fill pages with zeros */
void pages_scrub(u64 base, u64 count);

/* fence.c: when no hart can hold an old translation any more */

void fence_init(void);

/** The hart made a call, so from now on fences wait for it */
void fence_see(unsigned int hart);

/** @return COVE_ERR_ALREADY_STARTED while harts still owe a local fence */
s64 fence_start(void);

/** This hart has forgotten its old translations */
void fence_local(unsigned int hart);

/* For the tracker, which holds its lock around them. */

/** A page starts converting; @return the version to remember */
u64 fence_add_page(void);

/** The version itself, for what the tracker does not count */
u64 fence_version(void);

/** A page that started converting at this version leaves that state */
void fence_drop_page(u64 version);

/** All harts have fenced since this version */
bool fence_settled(u64 version);

/**
 * Somebody needs a page of this version: if only stopped harts are missing,
 * settle it.
 */
void fence_look_again(u64 version);

/* host.c: memory of the host */

void host_init(const struct tsm_boot_info *info);

/** @return COVE_ERR_INVALID_ADDRESS unless all of it is plain host RAM now */
s64 host_check(u64 address, u64 size);

/**
 * Copy once from or to host RAM, refusing all that is not plain host RAM. No
 * page can become confidential while it is copied.
 * @return COVE_ERR_INVALID_ADDRESS, and nothing is copied
 */
s64 host_copy_in(void *to, u64 address, u64 size);
s64 host_copy_out(u64 address, const void *from, u64 size);

/**
 * Note that a TVM maps these pages of plain host RAM: none of them can become
 * confidential until host_unshare().
 * @return COVE_ERR_INVALID_ADDRESS, and nothing is noted
 */
s64 host_share(u64 base, u64 pages);

/** The mappings of these pages are gone */
void host_unshare(u64 base, u64 pages);

/** NACL shared memory of this hart, validated by M-mode; NULL if none */
void *host_nacl(unsigned int hart);

#endif
