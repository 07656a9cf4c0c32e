/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * /dev/covh: what the host's user space may ask of the CoVE host driver.
 *
 * Every structure is the same on 32 and 64 bits. Fields marked `out` are
 * written by the driver; reserved fields and unknown flags must be zero.
 */
#ifndef COVH_UAPI_H
#define COVH_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define COVH_DEVICE		"/dev/covh"
#define COVH_IOC_MAGIC		0xc5

/*
 * Leave interrupts on around the call. A long call is then given up by the
 * TSM when the host has something to do, and goes on afterwards; scause and
 * stval mean nothing. Without it the answer is exact and nothing disturbs the
 * measured cost.
 */
#define COVH_CALL_INTERRUPTIBLE	(1U << 0)

/**
 * struct covh_call - one ECALL, any extension
 * @eid: a7
 * @fid: a6 as it is, SDID included
 * @args: a0 to a5
 * @flags: COVH_CALL_*
 * @cpu: out: the CPU it was made on
 * @error: out: a0
 * @value: out: a1
 * @scause: out: CSR right after the call
 * @stval: out: CSR right after the call
 * @changed_gprs: out: bit n: register xn is not what it was (a0, a1 apart)
 * @time: out: ticks of CSR time from before to after the call
 * @instret: out: instructions retired from before to after the call
 */
struct covh_call {
	__u64 eid;
	__u64 fid;
	__u64 args[6];
	__u32 flags;
	__u32 cpu;
	__s64 error;
	__u64 value;
	__u64 scause;
	__u64 stval;
	__u64 changed_gprs;
	__u64 time;
	__u64 instret;
};

/**
 * struct covh_fence - global_fence, then local_fence on every online CPU
 * @sdid: supervisor domain of the TSM
 * @fid: out: function that failed, if error is not 0
 * @cpus: out: CPUs that did their local_fence
 * @reserved: 0
 * @error: out: first error, 0 if all went well
 */
struct covh_fence {
	__u32 sdid;
	__u32 fid;
	__u32 cpus;
	__u32 reserved;
	__s64 error;
};

/**
 * struct covh_pool_info - the confidential pool of a domain
 * @sdid: supervisor domain of the TSM, 0 for the first one
 * @reserved: 0
 * @base: out: physical address, 0 if there is no such domain
 * @size: out: bytes
 * @free: out: pages that nobody owns
 * @confidential: out: pages that the host may not touch now
 */
struct covh_pool_info {
	__u32 sdid;
	__u32 reserved;
	__u64 base;
	__u64 size;
	__u64 free;
	__u64 confidential;
};

/* Look from the top of the pool down, to keep short-lived pages out of the way. */
#define COVH_POOL_TOP		(1U << 0)

/**
 * struct covh_pool_range - pages of the pool, owned by this open file
 * @base: physical address; out for COVH_POOL_ALLOC
 * @pages: number of 4 KiB pages
 * @align: alignment of base in bytes, a power of two, 0 for one page (alloc)
 * @flags: COVH_POOL_* (alloc)
 * @sdid: domain whose pool they are of, 0 for the first one (alloc)
 *
 * The file maps its pages with mmap at the offset of their physical address.
 */
struct covh_pool_range {
	__u64 base;
	__u64 pages;
	__u64 align;
	__u32 flags;
	__u32 sdid;
};

/* reply[] holds a0 and a1 of the forwarded call the vCPU waits for. */
#define COVH_RUN_REPLY		(1U << 0)
/* The vCPU runs on @cpu, in an IPI: in the middle of whatever that CPU does. */
#define COVH_RUN_ON_CPU		(1U << 1)

/* data[] holds what a console call of the guest is to read. */
#define COVH_RUN_DATA		(1U << 2)
/* Bytes that one console call carries between the guest's own memory and us */
#define COVH_RUN_DATA_SIZE	256

/**
 * struct covh_run - run a vCPU until something is left to user space
 * @sdid: supervisor domain of the TSM
 * @flags: COVH_RUN_*; COVH_RUN_REPLY is cleared once the reply was handed over
 * @tvm: TVM id
 * @vcpu: vCPU id
 * @reply: a0 and a1
 * @max_interrupts: give up after so many exits for host interrupts, 0: never
 * @error: out: a0 of run_tvm_vcpu
 * @value: out: a1 of run_tvm_vcpu
 * @scause: out: why the guest left
 * @stval: out
 * @htval: out
 * @htinst: out
 * @gprs: out: a0 to a7 of the guest
 * @interrupts: out: exits that the driver dealt with in this call
 * @ticks: out: CSR time spent inside run_tvm_vcpu in this call
 * @instret: out: instructions spent inside run_tvm_vcpu in this call
 * @hgatp: out: the host's hgatp before the last run: its own guest's VMID
 * @cpu: CPU for COVH_RUN_ON_CPU, otherwise 0
 * @reserved: 0
 * @hvip: interrupts to be pending in the guest, as far as it allows them
 * @vstimecmp: out: when the guest's timer interrupt comes, by its own clock
 * @htimedelta: out: its clock is CSR time and this
 * @data: in with COVH_RUN_DATA, out: bytes of a console call
 *
 * Fails with EINTR when a signal came; the structure is valid then and the
 * vCPU goes on with the next call. ETIME: max_interrupts was reached.
 */
struct covh_run {
	__u32 sdid;
	__u32 flags;
	__u64 tvm;
	__u64 vcpu;
	__u64 reply[2];
	__u64 max_interrupts;
	__s64 error;
	__u64 value;
	__u64 scause;
	__u64 stval;
	__u64 htval;
	__u64 htinst;
	__u64 gprs[8];
	__u64 interrupts;
	__u64 ticks;
	__u64 instret;
	__u64 hgatp;
	__u32 cpu;
	__u32 reserved;
	__u64 hvip;
	__u64 vstimecmp;
	__u64 htimedelta;
	__u8 data[COVH_RUN_DATA_SIZE];
};

#define COVH_MEM_MAX		(1U << 20)

/**
 * struct covh_mem - read or write physical memory, whoever owns it
 * @addr: physical address
 * @buf: user address of the data
 * @len: bytes, at most COVH_MEM_MAX
 * @done: out: bytes moved before the end or the fault
 * @fault: out: 1 if an access faulted
 * @reserved: 0
 */
struct covh_mem {
	__u64 addr;
	__u64 buf;
	__u64 len;
	__u64 done;
	__u32 fault;
	__u32 reserved;
};

#define COVH_CALL		_IOWR(COVH_IOC_MAGIC, 0, struct covh_call)
#define COVH_FENCE		_IOWR(COVH_IOC_MAGIC, 1, struct covh_fence)
#define COVH_POOL_INFO		_IOWR(COVH_IOC_MAGIC, 2, struct covh_pool_info)
#define COVH_POOL_ALLOC		_IOWR(COVH_IOC_MAGIC, 3, struct covh_pool_range)
#define COVH_POOL_FREE		_IOW(COVH_IOC_MAGIC, 4, struct covh_pool_range)
#define COVH_RUN		_IOWR(COVH_IOC_MAGIC, 5, struct covh_run)
#define COVH_PEEK		_IOWR(COVH_IOC_MAGIC, 6, struct covh_mem)
#define COVH_POKE		_IOWR(COVH_IOC_MAGIC, 7, struct covh_mem)

#endif
