/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the TSM tells the engineer in front of the machine: the log ring, the
 * crossing rings, the counters, and its last words. The harness finds all of
 * them by ELF symbol; the host can read none of them.
 */
#ifndef TSM_TRACE_H
#define TSM_TRACE_H

#include "abi/teecall.h"
#include "lib/lib.h"

extern struct tsm_log tsm_log;
extern struct tee_ring tsm_rings[COVE_MAX_HARTS];
extern struct tsm_stats tsm_stats;

/** Why translations of a guest are forgotten; aux of TEE_EVENT_GUEST_FENCE */
enum fence_reason {
	/** The host's own guests may have used this VMID */
	FENCE_ENTER = 1,
	/** The host's own guests may use this VMID next */
	FENCE_LEAVE = 2,
	/** The guest or its tables asked for it while it ran */
	FENCE_GUEST = 3,
};

void trace_init(const struct tsm_boot_info *info);

/** Append a line to tsm_log; no LF needed */
void tsm_print(const char *text, ...) __attribute__((format(printf, 1, 2)));

/**
 * Give up: the domain is dead on all harts. For states that only a broken TSM
 * or M-mode can reach, never for anything a host or guest does.
 */
void tsm_panic(const char *text, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/** Names a vCPU in the crossing events */
static inline u64 trace_vcpu(u64 tvm, u32 vcpu)
{
	return tvm << 32 | vcpu;
}

void trace_guest_enter(u64 who, u64 sepc);

/** eid and fid are 0 unless the guest made an ECALL */
void trace_guest_exit(u64 who, u64 sepc, u64 scause, u64 eid, u64 fid);

void trace_guest_fence(u16 vmid, enum fence_reason reason);

#endif
