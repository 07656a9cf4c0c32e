/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Structures that OpenSBI's TSM-driver, the TSM and the harness share.
 * All fields are little endian; the harness finds the objects by ELF symbol.
 */
#ifndef TEECALL_H
#define TEECALL_H

#include "cove.h"

#ifndef __ASSEMBLER__

typedef unsigned char tee_u8;
typedef unsigned short tee_u16;
typedef unsigned int tee_u32;
typedef unsigned long long tee_u64;
typedef long long tee_s64;

/** One crossing of a domain or privilege border on one hart */
struct tee_event {
	/** CSR time */
	tee_u64 time;
	/** CSR instret; orders the events of one hart across writers */
	tee_u64 instret;
	/** TEE_EVENT_* */
	tee_u16 kind;
	/** Supervisor domain the event belongs to */
	tee_u16 sdid;
	/** Hart id */
	tee_u32 hart;
	/** a7 of the call, where there is one */
	tee_u64 eid;
	/** a6 of the call as the caller set it */
	tee_u64 fid;
	/** Error or cause, by kind */
	tee_s64 error;
	/** By kind */
	tee_u64 value;
	/** By kind */
	tee_u64 aux;
};

#define TEE_RING_EVENTS 2048

/**
 * Events of one hart from one writer.
 * M-mode has `tsmd_rings[COVE_MAX_HARTS]`, the TSM `tsm_rings[COVE_MAX_HARTS]`,
 * both indexed by hart index.
 */
struct tee_ring {
	/** COVE_RING_MAGIC once the ring is in use */
	tee_u64 magic;
	/** TEECALL_ABI_VERSION */
	tee_u32 version;
	/** TEE_RING_EVENTS */
	tee_u32 capacity;
	/** Events ever written; the newest is at (head - 1) % capacity */
	tee_u64 head;
	tee_u64 reserved[5];
	struct tee_event events[TEE_RING_EVENTS];
};

struct tee_range {
	tee_u64 base;
	tee_u64 size;
};

/**
 * Property `dice-handover` of the TSM domain's node: what the root of trust,
 * which measured the firmware and the TSM, hands to the TSM (attestation.md).
 * M-mode passes it on as it is; all zero when nobody has measured.
 */
struct tee_handover {
	/** COVE_ATTEST_HANDOVER_MAGIC */
	tee_u64 magic;
	/** Bytes in platform_token and tsm_token */
	tee_u32 platform_size;
	tee_u32 tsm_size;
	/** Measurement registers 0 to 3, which the root of trust keeps */
	tee_u8 measurement[COVE_MEASUREMENT_TVM_PAGES][COVE_MEASUREMENT_DIGEST_SIZE];
	/** CDI_ID of the TSM: the name of its key */
	tee_u8 tsm_id[20];
	tee_u8 reserved[4];
	/** COSE_Sign1 */
	tee_u8 platform_token[COVE_ATTEST_HANDOVER_TOKEN];
	tee_u8 tsm_token[COVE_ATTEST_HANDOVER_TOKEN];
};

/** All harts have Smstateen, and M-mode lets HS-mode write hstateen0 */
#define TEE_FEATURE_STATEEN	(1ULL << 0)
/** All harts have Zicboz, and M-mode lets HS-mode execute cbo.zero */
#define TEE_FEATURE_CBO_ZERO	(1ULL << 1)

/**
 * Written by M-mode into the last page of the TSM's region, read by the TSM.
 * Its address is in a1 at the boot entry and never changes.
 */
struct tsm_boot_info {
	/** COVE_BOOT_INFO_MAGIC */
	tee_u64 magic;
	/** TEECALL_ABI_VERSION */
	tee_u32 version;
	/** SDID of this TSM domain */
	tee_u32 sdid;
	/** Harts of the machine; hart index 0..hart_count-1 comes in tp */
	tee_u32 hart_count;
	/** Valid entries of ram[] */
	tee_u32 ram_count;
	/** Ticks of CSR time a second */
	tee_u64 timebase_hz;
	/** Region of the TSM, this page included */
	struct tee_range tsm;
	/** Host memory that may be converted, by this domain alone */
	struct tee_range pool;
	/** M-mode firmware, not readable for anybody else */
	struct tee_range firmware;
	/** All of RAM */
	struct tee_range ram[COVE_MAX_RAM_RANGES];
	/** Hart ids by hart index */
	tee_u64 hart_id[COVE_MAX_HARTS];
	/** NACL shared memory by hart index, 0 if none; M-mode keeps it current */
	tee_u64 nacl[COVE_MAX_HARTS];
	/** Per-boot CDI of the TSM, from which its key follows; device tree */
	tee_u8 seed[32];
	/** TEE_FEATURE_*: what S-mode cannot find out without a trap */
	tee_u64 features;
	struct tee_handover handover;
	/**
	 * Supervisor-level interrupt file by hart index, 0 if the hart has none;
	 * its guest interrupt file n lies n pages behind it
	 */
	tee_u64 imsic[COVE_MAX_HARTS];
	/** Pages behind each supervisor-level file that are for guest files */
	tee_u64 imsic_guest_pages;
	/** Largest identity of an interrupt in these files */
	tee_u64 imsic_ids;
	/** Valid entries of foreign[] */
	tee_u64 foreign_count;
	/** Memory of other TSM domains, pools whole: not the host's to this one */
	struct tee_range foreign[2 * (COVE_MAX_TSM_DOMAINS - 1)];
};

#define TSM_LOG_SIZE 16384

/** Symbol `tsm_log`: the TSM's messages, a byte ring, lines ended by LF */
struct tsm_log {
	/** COVE_LOG_MAGIC */
	tee_u64 magic;
	/** TSM_LOG_SIZE */
	tee_u64 size;
	/** Bytes ever written */
	tee_u64 head;
	char text[TSM_LOG_SIZE];
};

/** Symbol `tsm_stats`: what the harness compares before and after a launch */
struct tsm_stats {
	/** COVE_STATS_MAGIC */
	tee_u64 magic;
	/** Pages of the pool in each state, by PAGE_* */
	tee_u64 pages[PAGE_STATES];
	/** TVMs that exist */
	tee_u64 tvms;
	/** vCPUs that exist */
	tee_u64 vcpus;
};

_Static_assert(sizeof(struct tee_event) == 64, "events are 64 bytes");
_Static_assert(sizeof(struct tee_ring) == 72 - 8 + 64 * TEE_RING_EVENTS,
	       "the ring's header is 64 bytes");
_Static_assert(sizeof(struct tsm_boot_info) <= 4096, "boot information is one page");

#endif /* __ASSEMBLER__ */
#endif
