// SPDX-License-Identifier: BSD-2-Clause
/*
 * The fence of a TVM (cove.md 3.3). A vCPU runs at the version that was
 * current when it came on its hart, where all translations of the TVM were
 * forgotten first. A leaf that was blocked at version v is known to no hart
 * once no vCPU runs at v or before. The host begins a version with tvm_fence
 * and sees to it that running vCPUs come off their harts; at most two versions
 * are in use, because no fence begins while the one before goes on.
 *
 * TVM locked or held; the counts of running vCPUs change under the lock only.
 */
#include "tvm/tvm.h"

static u32 *runners(struct tvm *tvm, u64 version)
{
	return &tvm->runners[version & 1];
}

void tvm_fence_enter(struct tvm *tvm, struct vcpu *vcpu)
{
	vcpu->version = tvm->version;
	(*runners(tvm, vcpu->version))++;
	tvm->running++;
}

void tvm_fence_leave(struct tvm *tvm, struct vcpu *vcpu)
{
	(*runners(tvm, vcpu->version))--;
	tvm->running--;
}

/* vCPUs still run that came on their harts before the last fence began. */
static bool pending(struct tvm *tvm)
{
	return __atomic_load_n(runners(tvm, tvm->version - 1),
			       __ATOMIC_ACQUIRE);
}

s64 tvm_fence_start(struct tvm *tvm)
{
	if (pending(tvm))
		return COVE_ERR_ALREADY_STARTED;
	tvm->version++;
	return COVE_SUCCESS;
}

bool tvm_fence_settled(struct tvm *tvm, u32 version)
{
	u32 age = ((u32)tvm->version - version) & BLOCKED_VERSION_MASK;

	/*
	 * A leaf keeps only the low bits. One that is very old may look new;
	 * it is settled by another fence, as any new one is.
	 */
	return age > 1 || (age == 1 && !pending(tvm));
}
