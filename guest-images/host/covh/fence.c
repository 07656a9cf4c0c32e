// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fence that a conversion needs: announced once, done on every CPU.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/mutex.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "covh.h"

/* The TSM knows one fence at a time; two files must not trip over each other. */
static DEFINE_MUTEX(fence_mutex);

struct local_fences {
	u32 sdid;
	atomic_t done;
	atomic64_t error;
};

/* Runs on each CPU with interrupts off, in the IPI where it is not the caller. */
static void local_fence(void *info)
{
	struct local_fences *all = info;
	struct covh_regs regs = {
		.eid = COVE_EID_COVH,
		.fid = covh_a6(all->sdid, COVE_COVH_LOCAL_FENCE),
	};

	covh_ecall_exact(&regs);
	if (regs.error == COVE_SUCCESS)
		atomic_inc(&all->done);
	else
		atomic64_cmpxchg(&all->error, COVE_SUCCESS, regs.error);
}

static s64 local_fence_everywhere(u32 sdid, u32 *cpus)
{
	struct local_fences all = { .sdid = sdid };

	on_each_cpu(local_fence, &all, 1);
	*cpus = atomic_read(&all.done);
	return atomic64_read(&all.error);
}

static s64 global_fence(u32 sdid)
{
	return covh_simple_call(sdid, COVE_COVH_GLOBAL_FENCE, 0, 0);
}

/* A fence that someone began with raw calls is brought to its end first. */
static s64 begin_fence(struct covh_fence *fence)
{
	s64 error = global_fence(fence->sdid);

	if (error != COVE_ERR_ALREADY_STARTED)
		return error;
	error = local_fence_everywhere(fence->sdid, &fence->cpus);
	return error ? error : global_fence(fence->sdid);
}

/* covh_fence_all() - settle all conversions so far; returns fence->error */
s64 covh_fence_all(struct covh_fence *fence)
{
	mutex_lock(&fence_mutex);
	cpus_read_lock();
	fence->cpus = 0;
	fence->fid = COVE_COVH_GLOBAL_FENCE;
	fence->error = begin_fence(fence);
	if (fence->error == COVE_SUCCESS) {
		fence->fid = COVE_COVH_LOCAL_FENCE;
		fence->error = local_fence_everywhere(fence->sdid, &fence->cpus);
	}
	cpus_read_unlock();
	mutex_unlock(&fence_mutex);
	return fence->error;
}

/*
 * covh_fence_raw() - a global_fence of user space
 *
 * It waits for a covh_fence_all() that goes on: the TSM would refuse that one
 * if another fence began between its ending the open one and its own, and its
 * caller would be left with pages that are neither usable nor reclaimable.
 */
void covh_fence_raw(void (*make_call)(struct covh_regs *regs, u32 flags),
		    struct covh_regs *regs, u32 flags)
{
	mutex_lock(&fence_mutex);
	make_call(regs, flags);
	mutex_unlock(&fence_mutex);
}

long covh_ioctl_fence(void __user *argp)
{
	struct covh_fence fence;

	if (copy_from_user(&fence, argp, sizeof(fence)))
		return -EFAULT;
	if (fence.sdid > COVE_A6_SDID_MASK || fence.reserved)
		return -EINVAL;
	covh_fence_all(&fence);
	return copy_to_user(argp, &fence, sizeof(fence)) ? -EFAULT : 0;
}
