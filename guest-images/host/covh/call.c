// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Raw calls of user space, and what the driver has to remember of them.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "covh.h"

/* Extensions that take the hart away from Linux instead of answering. */
#define EID_HSM		0x48534d
#define EID_SUSP	0x53555350
#define EID_SSE		0x535345

static bool takes_hart(u64 eid)
{
	return eid == EID_HSM || eid == EID_SUSP ||
	       (eid == EID_SSE && !covh_hostile);
}

static bool is_covh(const struct covh_regs *regs, u32 fid)
{
	return regs->eid == COVE_EID_COVH &&
	       (regs->fid & COVE_A6_FID_MASK) == fid;
}

static void make_call(struct covh_regs *regs, u32 flags)
{
	if (flags & COVH_CALL_INTERRUPTIBLE)
		covh_ecall_interruptible(regs);
	else
		covh_ecall_exact(regs);
}

/*
 * The pool's lock keeps a page from being freed between the moment it changes
 * sides and the moment the driver knows.
 */
static void move_pages(struct covh_regs *regs, u32 flags, bool confidential)
{
	covh_pool_lock();
	make_call(regs, flags);
	if (regs->error == COVE_SUCCESS)
		covh_pool_mark(covh_sdid(regs->fid), regs->args[0],
			       regs->args[1], confidential);
	covh_pool_unlock();
}

/* Memory for the record comes first: a TVM that exists must be remembered. */
static int create_tvm(struct covh_file *file, struct covh_regs *regs, u32 flags)
{
	struct covh_tvm *tvm = covh_tvm_prepare();

	if (!tvm)
		return -ENOMEM;
	make_call(regs, flags);
	if (regs->error == COVE_SUCCESS)
		covh_tvm_created(file, tvm, covh_sdid(regs->fid), regs->value);
	else
		kfree(tvm);
	return 0;
}

static int dispatch(struct covh_file *file, struct covh_regs *regs, u32 flags)
{
	/* A hostile host forgets its TVMs: they outlive the file. */
	if (is_covh(regs, COVE_COVH_CREATE_TVM) && !covh_hostile)
		return create_tvm(file, regs, flags);
	if (is_covh(regs, COVE_COVH_CONVERT_PAGES) ||
	    is_covh(regs, COVE_COVH_RECLAIM_PAGES)) {
		move_pages(regs, flags, is_covh(regs, COVE_COVH_CONVERT_PAGES));
		return 0;
	}
	if (is_covh(regs, COVE_COVH_GLOBAL_FENCE))
		covh_fence_raw(make_call, regs, flags);
	else
		make_call(regs, flags);
	if (regs->error != COVE_SUCCESS)
		return 0;
	if (is_covh(regs, COVE_COVH_DESTROY_TVM))
		covh_tvm_destroyed(covh_sdid(regs->fid), regs->args[0]);
	if (regs->eid == COVE_EID_NACL && regs->fid == COVE_NACL_SET_SHMEM)
		covh_nacl_replaced(file, regs->cpu);
	return 0;
}

static void answer(struct covh_call *call, const struct covh_regs *regs)
{
	call->cpu = regs->cpu;
	call->error = regs->error;
	call->value = regs->value;
	call->scause = regs->scause;
	call->stval = regs->stval;
	call->changed_gprs = regs->changed;
	call->time = regs->time;
	call->instret = regs->instret;
}

long covh_ioctl_call(struct covh_file *file, void __user *argp)
{
	struct covh_regs regs = {};
	struct covh_call call;
	int ret;

	if (copy_from_user(&call, argp, sizeof(call)))
		return -EFAULT;
	if (call.flags & ~COVH_CALL_INTERRUPTIBLE)
		return -EINVAL;
	if (takes_hart(call.eid))
		return -EPERM;

	regs.eid = call.eid;
	regs.fid = call.fid;
	memcpy(regs.args, call.args, sizeof(regs.args));
	ret = dispatch(file, &regs, call.flags);
	if (ret)
		return ret;
	answer(&call, &regs);
	return copy_to_user(argp, &call, sizeof(call)) ? -EFAULT : 0;
}
