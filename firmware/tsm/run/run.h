/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU between run_tvm_vcpu and the exit that ends it. */
#ifndef TSM_RUN_H
#define TSM_RUN_H

#include "arch/arch.h"
#include "trace/trace.h"
#include "tvm/tvm.h"

/** Bytes of an ECALL, which has no compressed form */
#define ECALL_SIZE	4

/** NACL shared memory as CoVE uses it (cove.md 2.9); the host's at all times */
struct nacl {
	u64 gpr[32];
	/** Private: what a console call carries (firmware/abi/rules.md) */
	u8 console[COVE_NACL_CONSOLE_SIZE];
	u8 unused[COVE_NACL_CSRS_OFFSET - COVE_NACL_CONSOLE_OFFSET -
		  COVE_NACL_CONSOLE_SIZE];
	u64 csr[1024];
};

_Static_assert(sizeof(struct nacl) == COVE_NACL_SHMEM_SIZE &&
	       offsetof(struct nacl, console) == COVE_NACL_CONSOLE_OFFSET &&
	       offsetof(struct nacl, csr) == COVE_NACL_CSRS_OFFSET,
	       "the SBI specification fixes this layout");

struct run {
	struct tvm *tvm;
	struct vcpu *vcpu;
	struct nacl *nacl;
	/** The guest has switched its vCPU off */
	bool stop;
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

/** All translations of this TVM on this hart are forgotten, and code too */
void run_fence_here(struct run *run);

/* reply.c: the host's part in the last exit */

enum due {
	/** The guest goes on */
	DUE_SETTLED,
	/** The host has not done its part: its call is refused */
	DUE_REFUSED,
	/** Another call of the host works on the TVM */
	DUE_BUSY,
	/** The host has an interrupt: its call goes on later */
	DUE_LATER,
	/** The same exit once more */
	DUE_AGAIN,
};

enum due run_take_reply(struct run *run);

/* exits.c */

/** Deal with the trap that is in the vCPU's context */
enum after_trap run_handle_trap(struct run *run);

/** The host gets this exit and may run the vCPU again */
enum after_trap run_leave(struct run *run, u64 scause, u64 stval);

/** The host gets this exit and the vCPU can never run again */
enum after_trap run_leave_dead(struct run *run, u64 scause, u64 stval);

/** The same for a trap that has no sense */
enum after_trap run_fatal(struct run *run);

/** The guest waits for an interrupt: an exit, unless one waits for it */
enum after_trap run_wait(struct run *run, u64 instruction);

/* guest_sbi.c: an ECALL from VS */

enum after_trap run_guest_ecall(struct run *run);

/** Answer the guest's call */
enum after_trap run_answer(struct guest_context *guest, s64 error, u64 value);

/** The same without a value */
enum after_trap run_status(struct guest_context *guest, s64 error);

/**
 * The host does it; its answer comes with the next run.
 * @param registers those of a0 to a7 that it sees, by bit
 */
enum after_trap run_forward(struct run *run, unsigned int registers,
			    enum vcpu_reply reply);

/** The host is told of a call that is done already, with one argument */
enum after_trap run_tell(struct run *run, u64 eid, u64 function, u64 arg);

/* covg.c, console.c, harts.c: extensions of their own */
enum after_trap run_covg(struct run *run, u64 function);
enum after_trap run_console(struct run *run, u64 function);
enum after_trap run_send_ipi(struct run *run, u64 function);
enum after_trap run_remote_fence(struct run *run, u64 function);
enum after_trap run_hart_state(struct run *run, u64 function);

/** The bytes that the host has written or read */
void run_take_console(struct run *run, bool read);

/** All vCPUs that a remote fence waits for have come off their harts */
bool run_fences_done(struct run *run);

/** Tell the host once more which ones have not */
enum after_trap run_fences_again(struct run *run);

/* memory.c: the guest's memory */

/** Physical address of a page that the guest has mapped as its own, 0 if none */
u64 run_guest_page(struct run *run, u64 gpa);

enum region_kind run_region_kind(struct run *run, u64 gpa);
bool run_covers(struct run *run, u64 gpa, u64 size, enum region_kind kind);

/**
 * The guest's ECALL needs a page that is not populated: the host gets the
 * fault, and the guest makes its call again.
 */
enum after_trap run_demand(struct run *run, u64 gpa, u64 cause);

/* mmio.c, decode.c: accesses that the host emulates */

enum after_trap run_mmio(struct run *run, u64 gpa);

/** The host's value of the load that the vCPU waits for */
void run_take_load(struct run *run);

/** Let the guest's own kernel have a trap */
enum after_trap run_inject(struct guest_context *guest, u64 cause, u64 tval);

/** @return false for anything but an integer load or store */
bool decode_access(u32 instruction, struct access *access);

/** The instruction as the host sees it: with a0, x0 as base and no offset */
u32 access_transformed(const struct access *access);

/** A register's value as the access stores it, a stored one as it loads it */
u64 access_truncate(const struct access *access, u64 value);
u64 access_extend(const struct access *access, u64 value);

/* msi.c: the guest's interrupt files */

/** With AIA: the vCPU's state goes into the file that it is bound to */
void run_load_file(struct run *run);
void run_put_file(struct run *run);

/** The guest has touched a page of REGION_IMSIC */
enum after_trap run_msi(struct run *run, u64 gpa);

/* nacl.c */

/** What every exit shows */
void nacl_put_timers(struct nacl *nacl, const struct run *run);

/** The GPA of a guest page fault, without the offset in its page */
void nacl_put_fault(struct nacl *nacl, u64 gpa);

/** An access for the host to emulate; value is what it stores, else 0 */
void nacl_put_access(struct nacl *nacl, u64 gpa, u32 instruction, u64 value);

/** a0 to a7 of a forwarded ECALL, only those in the mask (bit n = an) */
void nacl_put_ecall(struct nacl *nacl, const struct guest_context *guest,
		    unsigned int mask);

/** A call with one argument, the others 0 */
void nacl_put_call(struct nacl *nacl, u64 eid, u64 function, u64 arg);

/** A console call carries these bytes, or is to carry so many back */
void nacl_put_console(struct nacl *nacl, const void *bytes, u64 count);
void nacl_put_carried(struct nacl *nacl, u64 count);
void nacl_take_console(struct nacl *nacl, void *bytes, u64 count);

/** a0 of the host's answer, which stays there */
u64 nacl_see_value(struct nacl *nacl);

/** a0 and a1 of the host's answer */
u64 nacl_take_value(struct nacl *nacl);
u64 nacl_take_count(struct nacl *nacl);

/** The host wants an external interrupt pending in the guest */
bool nacl_external_interrupt(struct nacl *nacl);

#endif
