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
#define TVM_MAX_REGIONS		64
#define TVM_STATE_PAGES		1
#define TVM_DIRECTORY_PAGES	4
#define TVM_IDENTITY_SIZE	64

/** Guest-physical memory that the TVM owns */
struct region {
	u64 base;
	u64 size;
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
	/** vCPUs that are on a hart now */
	u32 running;
	u32 vcpu_count;
	/** Physical addresses of struct vcpu, 0 if there is none */
	u64 vcpu[TVM_MAX_VCPUS];
	u32 region_count;
	struct region region[TVM_MAX_REGIONS];
};

enum vcpu_state {
	/** Not started, or dead */
	VCPU_OFF,
	VCPU_RUNNABLE,
	/** Belongs to one hart */
	VCPU_RUNNING,
};

/** The host's part in the guest's last ECALL */
enum vcpu_reply {
	REPLY_NONE,
	/** a0, as the legacy SBI calls answer */
	REPLY_A0,
	/** a0 and a1 */
	REPLY_A0_A1,
};

/** Followed by the vCPU's V registers, in the same donated pages */
struct vcpu {
	struct guest_context context;
	u32 id;
	enum vcpu_state state;
	enum vcpu_reply reply;
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

/**
 * Make the id of a locked TVM invalid. The slot stays taken until its pages
 * are; the TVM must not be touched any more.
 * @return the slot
 */
unsigned int tvm_retire(struct tvm *tvm);

/** All pages of a retired TVM are taken: the slot may be used again */
void tvm_free_slot(unsigned int slot);

/* regions.c: guest-physical memory; TVM locked or held */

/** @return COVE_ERR_INVALID_ADDRESS for an overlap, COVE_ERR_FAILED if full */
s64 tvm_add_region(struct tvm *tvm, u64 gpa, u64 size);

/** All of the range is in regions */
bool tvm_covers(const struct tvm *tvm, u64 gpa, u64 size);

/* gstage.c: Sv48x4 tables; TVM locked or held */

/** First guest-physical address behind what the tables can express */
#define GSTAGE_END	(1UL << 50)

/** Physical address that a GPA is mapped to, 0 if none */
u64 gstage_lookup(u64 root, u64 gpa);

/**
 * Tables that mapping this page would take.
 * @param counted the page before it has been counted already
 */
u64 gstage_tables_missing(u64 root, u64 gpa, bool counted);

/** Map one page; there are tables enough and nothing is mapped there */
void gstage_map(struct tvm *tvm, u64 gpa, u64 page);

void gstage_unmap(u64 root, u64 gpa);

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

#endif
