/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside of covh.ko. A file per idea: ecall (the instruction), call (raw
 * calls of user space), fence, nacl, run, pool, pool_file, peek, cleanup.
 */
#ifndef COVH_H
#define COVH_H

#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/types.h>

#include "cove.h"
#include "covh_uapi.h"
#include "ecall_frame.h"

#undef pr_fmt
#define pr_fmt(fmt) "covh: " fmt

/**
 * struct covh_file - one open of /dev/covh
 * @id: names the owner of pool pages, never 0
 * @pages: pages of the pool it owns; under the pool's lock
 * @nacl_cpus: CPUs whose NACL memory it replaced by raw calls
 */
struct covh_file {
	u32 id;
	u64 pages;
	cpumask_t nacl_cpus;
};

/* One TVM that a file has to answer for */
struct covh_tvm {
	struct list_head list;
	struct covh_file *file;
	u64 id;
	u32 sdid;
};

/* One ECALL and its answer */
struct covh_regs {
	u64 eid;
	u64 fid;
	u64 args[6];
	s64 error;
	u64 value;
	u64 scause;
	u64 stval;
	u64 changed;
	u64 time;
	u64 instret;
	u32 cpu;
};

static inline u64 covh_a6(u32 sdid, u32 fid)
{
	return (u64)sdid << COVE_A6_SDID_SHIFT | fid;
}

static inline u32 covh_sdid(u64 a6)
{
	return a6 >> COVE_A6_SDID_SHIFT & COVE_A6_SDID_MASK;
}

/* ecall.c */
void covh_ecall_irqs_off(struct covh_regs *regs);
void covh_ecall_exact(struct covh_regs *regs);
void covh_ecall_interruptible(struct covh_regs *regs);
s64 covh_simple_call(u32 sdid, u32 fid, u64 a0, u64 a1);

/* call.c */
long covh_ioctl_call(struct covh_file *file, void __user *argp);

/* fence.c */
s64 covh_fence_all(struct covh_fence *fence);
void covh_fence_raw(void (*make_call)(struct covh_regs *regs, u32 flags),
		    struct covh_regs *regs, u32 flags);
long covh_ioctl_fence(void __user *argp);

/* nacl.c */
int covh_nacl_init(void);
void covh_nacl_exit(void);
void *covh_nacl_here(void);
void covh_nacl_replaced(struct covh_file *file, int cpu);
void covh_nacl_restore(struct covh_file *file);

/* run.c */
long covh_ioctl_run(void __user *argp);

/* pool.c */
int covh_pool_init(void);
void covh_pool_exit(void);
void covh_pool_lock(void);
void covh_pool_unlock(void);
bool covh_pool_owned(u32 owner, u64 base, u64 pages);
void covh_pool_mark(u32 sdid, u64 base, u64 pages, bool confidential);
int covh_pool_alloc(struct covh_file *file, struct covh_pool_range *range);
int covh_pool_free(struct covh_file *file, u64 base, u64 pages,
		   struct address_space *mapping);
void covh_pool_info(struct covh_pool_info *info);
bool covh_pool_next_confidential(u32 owner, u64 *from, u64 *base, u64 *pages,
				 u32 *sdid);
u64 covh_pool_disown(struct covh_file *file);

/* pool_file.c */
long covh_ioctl_pool_info(void __user *argp);
long covh_ioctl_pool_alloc(struct covh_file *file, void __user *argp);
long covh_ioctl_pool_free(struct file *filp, void __user *argp);
int covh_mmap(struct file *filp, struct vm_area_struct *vma);

/* hostile.c */
extern bool covh_hostile;

/* peek.c */
long covh_ioctl_mem(void __user *argp, bool write);

/* cleanup.c */
struct covh_tvm *covh_tvm_prepare(void);
void covh_tvm_created(struct covh_file *file, struct covh_tvm *tvm, u32 sdid,
		      u64 id);
void covh_tvm_destroyed(u32 sdid, u64 id);
void covh_cleanup(struct covh_file *file);

#endif
