/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU between run_tvm_vcpu and the exit that ends it. */
#ifndef TSM_RUN_H
#define TSM_RUN_H

#include "arch/arch.h"
#include "tvm/tvm.h"

/** NACL shared memory as CoVE uses it (cove.md 2.9); the host's at all times */
struct nacl {
	u64 gpr[32];
	u8 unused[COVE_NACL_CSRS_OFFSET - 32 * 8];
	u64 csr[1024];
};

_Static_assert(sizeof(struct nacl) == COVE_NACL_SHMEM_SIZE,
	       "the SBI specification fixes this layout");

struct run {
	struct tvm *tvm;
	struct vcpu *vcpu;
	struct nacl *nacl;
	/** For the host, once the guest leaves */
	struct answer answer;
};

/** What a trap of the guest means for the hart */
enum after_trap {
	/** The TSM dealt with it: back into the guest */
	STAY,
	/** run->answer is for the host */
	LEAVE,
};

/** run.c: FID 15 */
struct answer covh_run_tvm_vcpu(const u64 *args);

/** exits.c: deal with the trap that is in the vCPU's context */
enum after_trap run_handle_trap(struct run *run);

/** The host gets this exit and may run the vCPU again */
enum after_trap run_leave(struct run *run, u64 scause, u64 stval);

/** The host gets this exit and the vCPU can never run again */
enum after_trap run_leave_dead(struct run *run, u64 scause, u64 stval);

/** guest_sbi.c: an ECALL from VS */
enum after_trap run_guest_ecall(struct run *run);

/* nacl.c */

/** What every exit shows */
void nacl_put_timers(struct nacl *nacl, const struct run *run);

/** The GPA of a guest page fault, without the offset in its page */
void nacl_put_fault(struct nacl *nacl, u64 gpa);

/** a0 to a7 of a forwarded ECALL, only those in the mask (bit n = an) */
void nacl_put_ecall(struct nacl *nacl, const struct guest_context *guest,
		    unsigned int mask);

/** The host's answer to the last forwarded ECALL goes to the guest */
void nacl_take_reply(struct nacl *nacl, struct vcpu *vcpu);

#endif
