// SPDX-License-Identifier: BSD-2-Clause
#include "tvm/tvm.h"
#include "trace/trace.h"

_Static_assert(sizeof(struct vcpu) % sizeof(u64) == 0,
	       "V registers follow, read and written by doublewords");

u64 vcpu_state_pages(void)
{
	u64 size = sizeof(struct vcpu) + arch_vector_size();

	return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

struct vcpu *vcpu_find(const struct tvm *tvm, u64 id)
{
	if (id >= TVM_MAX_VCPUS || !tvm->vcpu[id])
		return NULL;
	return phys_to_virt(tvm->vcpu[id]);
}

bool vcpu_id_free(const struct tvm *tvm, u64 id)
{
	return id < TVM_MAX_VCPUS && !tvm->vcpu[id];
}

void vcpu_create(struct tvm *tvm, u32 id, u64 page)
{
	struct vcpu *vcpu = phys_to_virt(page);

	vcpu->id = id;
	vcpu->state = VCPU_OFF;
	vcpu->reply = REPLY_NONE;
	tvm->vcpu[id] = page;
	tvm->vcpu_count++;
	__atomic_add_fetch(&tsm_stats.vcpus, 1, __ATOMIC_RELAXED);
}

void vcpu_start(struct vcpu *vcpu, u64 pc, u64 arg)
{
	arch_guest_init(&vcpu->context, vcpu + 1, pc, vcpu->id, arg);
	memset(vcpu->allowed, 0, sizeof(vcpu->allowed));
	aia_reset(vcpu);
	vcpu->reply = REPLY_NONE;
	vcpu->ipi = 0;
	vcpu->state = VCPU_RUNNABLE;
}
