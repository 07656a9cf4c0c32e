/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TVMs and vCPUs. Both live in pages that the host donated; only a slot of a
 * few words per TVM is the TSM's own.
 *
 * Lock order: a slot's lock, then the page tracker's. No two slots are locked
 * together. A slot's lock protects the slot, its struct tvm, the TVM's G-stage
 * tables and the state of its vCPUs. A running vCPU belongs to its hart, not
 * to the lock.
 */
#ifndef TSM_TVM_H
#define TSM_TVM_H

#include "arch/arch.h"
#include "crypto/crypto.h"
#include "lib/lib.h"
#include "mem/mem.h"

#define TVM_MAX_VCPUS		16
#define TVM_MAX_REGIONS		96
#define TVM_STATE_PAGES		1
#define TVM_DIRECTORY_PAGES	4
#define TVM_IDENTITY_SIZE	64

/** What a stretch of guest-physical memory is (cove.md 3.4) */
enum region_kind {
	REGION_NONE,
	/** The TVM's own */
	REGION_CONFIDENTIAL,
	/** The same; the TVM wants to share it once it is empty */
	REGION_SHARING,
	/** The host puts pages of its own here */
	REGION_SHARED,
	/** The same; the TVM wants it back once it is empty */
	REGION_UNSHARING,
	/** Accesses are the host's to emulate */
	REGION_MMIO,
	/** A vCPU's interrupt file: the TSM takes what is written there */
	REGION_IMSIC,
};

/** Guest-physical memory of one kind */
struct region {
	u64 base;
	u64 size;
	enum region_kind kind;
};

/**
 * Regions that are kept free of the guest's own: each of its vCPUs may have one
 * change under way, which in the end can split a region in three.
 */
#define TVM_SPARE_REGIONS	(2 + 2 * TVM_MAX_VCPUS)

/** Where a TVM has its interrupt files (cove.md 2.6, tvm_aia_params) */
struct tvm_aia {
	/** init_tvm_aia has been called */
	bool on;
	/** Address of the first one, and the bits that choose another */
	u64 base;
	u64 index_mask;
};

struct tvm {
	/** What the host knows it by; never 0 and never used twice */
	u64 id;
	/** Owner number of its pages */
	unsigned int slot;
	/** COVE_TVM_STATE_* */
	u32 state;
	/** The guest asked for shutdown or reset: nothing runs any more */
	bool down;
	/** The offset of the guest's clock is fixed at the first run */
	bool clock_set;
	/** Physical address of the G-stage root */
	u64 root;
	/** Free page-table pages, each holding the address of the next */
	u64 free_tables;
	u64 free_table_count;
	u64 timedelta;
	/** Measurement registers COVE_MEASUREMENT_TVM_PAGES and _ENTRY */
	u8 pages_digest[DIGEST_SIZE];
	u8 entry_digest[DIGEST_SIZE];
	/** Measurement registers that the guest extends */
	u8 runtime_digest[COVE_MEASUREMENT_RUNTIME][DIGEST_SIZE];
	u8 identity[TVM_IDENTITY_SIZE];
	struct tvm_aia aia;
	/** vCPUs that are on a hart now */
	u32 running;
	/** Of its fences, and how many of them run at this one and the last */
	u64 version;
	u32 runners[2];
	/** Pages of the host's in its G-stage tables */
	u64 shared_pages;
	u32 vcpu_count;
	/** Physical addresses of struct vcpu, 0 if there is none */
	u64 vcpu[TVM_MAX_VCPUS];
	u32 region_count;
	struct region region[TVM_MAX_REGIONS];
};

enum vcpu_state {
	/** Not started, or stopped by the guest */
	VCPU_OFF,
	VCPU_RUNNABLE,
	/** Belongs to one hart */
	VCPU_RUNNING,
	/** Can never run again */
	VCPU_DEAD,
};

/** The host's part in the guest's last exit, due with the next run */
enum vcpu_reply {
	REPLY_NONE,
	/** a0, as the legacy SBI calls answer */
	REPLY_A0,
	/** a0 and a1 */
	REPLY_A0_A1,
	/** What an emulated load has read */
	REPLY_LOAD,
	/** Bytes written to or read from the console, of at most pending.size */
	REPLY_WRITTEN,
	REPLY_READ,
	/** The range pending is empty, or the host refuses */
	REPLY_SHARE,
	REPLY_UNSHARE,
	/** Nothing of the host's; pending.fence have left their harts */
	REPLY_RFENCE,
};

/** An access of the guest that the host emulates */
struct access {
	/** Bytes: 1, 2, 4 or 8 */
	u8 size;
	bool store;
	/** A load extends the sign */
	bool sign;
	/** rs2 of a store, rd of a load */
	u8 reg;
	/** Bytes of the instruction: 2 or 4 */
	u8 length;
};

enum bind_state {
	AIA_UNBOUND,
	AIA_BOUND,
	/** unbind_begin; then a fence of the TVM */
	AIA_UNBINDING,
	/** rebind_begin; then a fence of the TVM */
	AIA_REBINDING,
	/** rebind_clone */
	AIA_CLONED,
};

/** A guest interrupt file of a hart */
struct file_place {
	unsigned int hart;
	unsigned int number;
};

/** A vCPU's interrupt file */
struct vcpu_aia {
	/** It has a place in the guest's memory, and where */
	bool placed;
	u64 gpa;
	enum bind_state bind;
	struct file_place at;
	/** Where it is being bound again */
	struct file_place next;
	/** Of the TVM's fences, when it began to leave its place */
	u64 version;
	/** The hart's file holds its state now; else it is in file */
	bool live;
	struct interrupt_file file;
};

/** Followed by the vCPU's V registers, in the same donated pages */
struct vcpu {
	struct guest_context context;
	u32 id;
	enum vcpu_state state;
	enum vcpu_reply reply;
	/** Of the TVM's fences, while it runs */
	u64 version;
	/** Times it came on a hart */
	u64 runs;
	/** The guest has suspended it and it has not run since */
	bool suspended;
	/** Another vCPU wants its attention; set by any hart */
	u32 ipi;
	/** What the reply is about */
	struct {
		u64 gpa;
		u64 size;
		/** Up to here the range is known to be empty */
		u64 empty;
		struct access access;
		/** vCPUs to leave their harts, by bit, and which run was theirs */
		u64 fence;
		u64 runs[TVM_MAX_VCPUS];
	} pending;
	/** External interrupts that the guest allows, by bit */
	u64 allowed[(COVE_MAX_INTERRUPT_ID + 1) / 64];
	struct vcpu_aia aia;
};

/* slots.c: from the host's number to the TVM */

/** No TVM exists */
void tvm_init(void);

/**
 * Take a free slot for a TVM whose object is in this page.
 * @return the TVM, locked, or NULL if all slots are taken
 */
struct tvm *tvm_create(u64 state_page, u64 root);

/**
 * Find a TVM and lock it.
 * @return COVE_ERR_INVALID_PARAM if there is none of this id,
 *	   COVE_ERR_BUSY while another hart's interrupted call works on it
 */
s64 tvm_lock(u64 id, struct tvm **tvm);

/** The same, and the TVM must be in this COVE_TVM_STATE_ */
s64 tvm_lock_in_state(u64 id, u32 state, struct tvm **tvm);

/** Lock a TVM that the caller holds by a running vCPU or an open call */
void tvm_relock(struct tvm *tvm);

void tvm_unlock(struct tvm *tvm);

/**
 * Keep a locked TVM from all other calls, beyond this lock and the return to
 * the host, until it is let go.
 */
void tvm_hold(struct tvm *tvm);
void tvm_let_go(struct tvm *tvm);

/** A call holds the locked TVM */
bool tvm_is_held(const struct tvm *tvm);

/**
 * Make the id of a locked TVM invalid. The slot stays taken until its pages
 * are; the TVM must not be touched any more.
 * @return the slot
 */
unsigned int tvm_retire(struct tvm *tvm);

/** All pages of a retired TVM are taken: the slot may be used again */
void tvm_free_slot(unsigned int slot);

/* regions.c: guest-physical memory; TVM locked, or held to look only */

/** @return COVE_ERR_INVALID_ADDRESS for an overlap, COVE_ERR_FAILED if full */
s64 tvm_add_region(struct tvm *tvm, u64 gpa, u64 size, enum region_kind kind);

enum region_kind tvm_region_kind(const struct tvm *tvm, u64 gpa);

/** All of the range is in regions of this kind */
bool tvm_covers(const struct tvm *tvm, u64 gpa, u64 size,
		enum region_kind kind);

/**
 * All of a range becomes another kind.
 * @return COVE_ERR_INVALID_PARAM if not all of it is of kind from,
 *	   COVE_ERR_FAILED if there is no room for more regions
 */
s64 tvm_change_region(struct tvm *tvm, u64 gpa, u64 size,
		      enum region_kind from, enum region_kind to);

/** MMIO regions that meet the range are gone; COVE_ERR_INVALID_ADDRESS if none */
s64 tvm_drop_mmio(struct tvm *tvm, u64 gpa, u64 size);

/* fence.c: when no hart knows an old translation; TVM locked */

/** A vCPU comes on a hart that knows none of the TVM's translations */
void tvm_fence_enter(struct tvm *tvm, struct vcpu *vcpu);

/** A vCPU is off its hart, and with it all translations */
void tvm_fence_leave(struct tvm *tvm, struct vcpu *vcpu);

/** @return COVE_ERR_ALREADY_STARTED while vCPUs run that do not know the last */
s64 tvm_fence_start(struct tvm *tvm);

/** No hart knows a translation that was blocked at this version; locked or held */
bool tvm_fence_settled(struct tvm *tvm, u32 version);

/* gstage.c: Sv48x4 tables; TVM locked or held */

/** First guest-physical address behind what the tables can express */
#define GSTAGE_END	(1UL << 50)

/** Levels of leaves, which are the CoVE page types: 4 KiB, 2 MiB, 1 GiB */
#define GSTAGE_LEVELS	3

/** What a blocked leaf keeps of the TVM's fence version */
#define BLOCKED_VERSION_MASK	((1UL << 17) - 1)

enum leaf_state {
	LEAF_NONE,
	LEAF_MAPPED,
	/** Taken from the guest: COVH tvm_invalidate_pages */
	LEAF_BLOCKED,
};

/** What the tables say of a guest-physical address */
struct leaf {
	enum leaf_state state;
	unsigned int level;
	/** A page of the host's */
	bool shared;
	/** At which it was blocked */
	u32 version;
	/** Physical address of the 4 KiB page at the address */
	u64 page;
};

/** Bytes that a leaf of this level maps */
static inline u64 leaf_size(unsigned int level)
{
	return PAGE_SIZE << (9 * level);
}

struct leaf gstage_find(u64 root, u64 gpa);

/** Physical address that a GPA is mapped to, 0 if none */
u64 gstage_lookup(u64 root, u64 gpa);

/** A leaf of this level can be put here: no leaf and no table is in its place */
bool gstage_is_free(u64 root, u64 gpa, unsigned int level);

/**
 * The first address from gpa on that has a leaf, end if there is none, or how
 * far the search came before it had looked at so many entries.
 */
u64 gstage_next(u64 root, u64 gpa, u64 end, unsigned int *entries);

/**
 * Tables that a leaf of this level would take.
 * @param counted the leaf before it has been counted already
 */
u64 gstage_tables_missing(u64 root, u64 gpa, unsigned int level, bool counted);

/** Map a leaf; there are tables enough and its place is free */
void gstage_map(struct tvm *tvm, u64 gpa, u64 page, unsigned int level,
		bool shared);

void gstage_unmap(u64 root, u64 gpa);

/** Take a mapped leaf from the guest, at this version of the TVM's fences */
void gstage_block(u64 root, u64 gpa, u64 version);

/** A blocked leaf is mapped again */
void gstage_unblock(u64 root, u64 gpa);

/** A blocked leaf becomes 512 mapped ones of this level; false: no table left */
bool gstage_demote(struct tvm *tvm, u64 gpa, unsigned int level);

/**
 * A table of 512 blocked leaves becomes one mapped leaf of this level. No vCPU
 * may run: a hart may still know where the table was.
 */
void gstage_promote(struct tvm *tvm, u64 gpa, unsigned int level);

/** Add a scrubbed page to the TVM's free tables */
void gstage_add_table(struct tvm *tvm, u64 page);

/** Take the free table that was added last; there must be one */
u64 gstage_take_table(struct tvm *tvm);

/* measure.c */

/** register := SHA384(register || gpa as LE u64 || 4096 bytes) */
void measure_page(u8 digest[DIGEST_SIZE], u64 gpa, u64 page);

/** register := SHA384(register || value as LE u64) */
void measure_word(u8 digest[DIGEST_SIZE], u64 value);

/* vcpu.c; TVM locked */

/** Pages that the host donates for a vCPU */
u64 vcpu_state_pages(void);

/** The vCPU of this id, NULL if there is none */
struct vcpu *vcpu_find(const struct tvm *tvm, u64 id);

/** A new id may be given */
bool vcpu_id_free(const struct tvm *tvm, u64 id);

/** Build a vCPU, powered off, in vcpu_state_pages() of the TVM's */
void vcpu_create(struct tvm *tvm, u32 id, u64 page);

/** Power on at pc with a0 = vCPU id and a1 = arg */
void vcpu_start(struct vcpu *vcpu, u64 pc, u64 arg);

/*
 * aia.c: interrupt files of vCPUs; TVM locked. Errors are COVE_ errors, and
 * the harts are those that the host makes the calls on.
 */

/** A new vCPU, or one that has just been powered on: its file is empty */
void aia_reset(struct vcpu *vcpu);

/** Give a vCPU's file its place in the guest's memory */
s64 aia_place(struct tvm *tvm, struct vcpu *vcpu, u64 gpa);

/** Without AIA, or all vCPUs have a place for their files */
bool aia_complete(const struct tvm *tvm);

s64 aia_bind(struct vcpu *vcpu, unsigned int hart, u64 mask);
s64 aia_unbind_begin(const struct tvm *tvm, struct vcpu *vcpu,
		     unsigned int hart);
s64 aia_unbind_end(struct tvm *tvm, struct vcpu *vcpu, unsigned int hart);
s64 aia_rebind_begin(const struct tvm *tvm, struct vcpu *vcpu,
		     unsigned int hart, u64 mask);
s64 aia_rebind_clone(struct tvm *tvm, struct vcpu *vcpu, unsigned int hart);
s64 aia_rebind_end(struct vcpu *vcpu, unsigned int hart);

/** The vCPU of a TVM with AIA is bound to a file of this hart */
bool aia_may_run(const struct vcpu *vcpu, unsigned int hart);

/** The vCPU's state goes into its hart's file, and comes back out of it */
void aia_load(struct vcpu *vcpu);
void aia_put(struct vcpu *vcpu);

/** An interrupt becomes pending in the vCPU's file, wherever that is now */
void aia_deliver(struct vcpu *vcpu, u32 id);

/** The vCPU whose file is at this page, NULL if none is */
struct vcpu *aia_find(const struct tvm *tvm, u64 gpa);

/** The TVM is going: all its files are unassigned */
void aia_release(struct tvm *tvm);

#endif
