// SPDX-License-Identifier: BSD-2-Clause
/* Interrupt files: what the host asks for them (cove.md 2.7, rules.md). */
#include "call/covi.h"
#include "mem/files.h"

/* cove.md 2.6; the host's compiler may pad it to 32 bytes. */
struct tvm_aia_params {
	u64 imsic_base;
	u32 group_index_bits;
	u32 group_index_shift;
	u32 hart_index_bits;
	u32 guest_index_bits;
	u32 guests_per_hart;
} __attribute__((packed));

_Static_assert(sizeof(struct tvm_aia_params) == 28,
	       "CoVE fixes the layout of struct tvm_aia_params");

/* AIA 3.6: at most 24 bits below the groups', page offset included. */
#define MIN_GROUP_SHIFT		24
#define MAX_GROUP_SHIFT		55
#define MAX_INDEX_BITS		16
#define MAX_GUEST_BITS		6

/* The bits of an address that choose a vCPU's file; 0 if they make no sense */
static u64 index_mask(const struct tvm_aia_params *params)
{
	u64 low = PAGE_SHIFT + params->guest_index_bits;
	u64 high = low + params->hart_index_bits;
	u64 mask = ((1UL << params->hart_index_bits) - 1) << low;

	if (params->group_index_bits)
		mask |= ((1UL << params->group_index_bits) - 1)
			<< params->group_index_shift;
	return high <= params->group_index_shift ||
	       !params->group_index_bits ? mask : ~0UL;
}

static bool fits(const struct tvm_aia_params *params)
{
	u64 mask, guests;

	if (params->group_index_bits > MAX_INDEX_BITS ||
	    params->hart_index_bits > MAX_INDEX_BITS ||
	    params->guest_index_bits > MAX_GUEST_BITS ||
	    params->group_index_shift < MIN_GROUP_SHIFT ||
	    params->group_index_shift > MAX_GROUP_SHIFT)
		return false;
	/* A TVM has no guests of its own; the room for them may be there. */
	if (params->guests_per_hart)
		return false;
	mask = index_mask(params);
	guests = ((1UL << params->guest_index_bits) - 1) << PAGE_SHIFT;
	return page_aligned(params->imsic_base) &&
	       !(params->imsic_base & (mask | guests)) &&
	       (params->imsic_base | mask | guests) < GSTAGE_END;
}

/* a0 = TVM, a1 = struct tvm_aia_params, a2 = its size */
struct answer covi_init_tvm_aia(const u64 *args)
{
	struct tvm_aia_params params;
	struct tvm *tvm;
	s64 error;

	if (args[2] < sizeof(params))
		return answer_error(COVE_ERR_INVALID_PARAM);
	if (args[1] & (sizeof(u64) - 1))
		return answer_error(COVE_ERR_INVALID_ADDRESS);
	error = host_copy_in(&params, args[1], sizeof(params));
	if (error)
		return answer_error(error);
	if (!fits(&params))
		return answer_error(COVE_ERR_INVALID_PARAM);
	error = tvm_lock_in_state(args[0], COVE_TVM_STATE_INITIALIZING, &tvm);
	if (error)
		return answer_error(error);
	if (tvm->aia.on) {
		error = COVE_ERR_INVALID_PARAM;
	} else {
		tvm->aia.on = true;
		tvm->aia.base = params.imsic_base;
		tvm->aia.index_mask = index_mask(&params);
	}
	tvm_unlock(tvm);
	return answer_error(error);
}

/* Find a vCPU of a TVM that has AIA, and lock the TVM. */
static s64 lock_vcpu(const u64 *args, u32 state, struct tvm **tvm,
		     struct vcpu **vcpu)
{
	s64 error = tvm_lock_in_state(args[0], state, tvm);

	if (error)
		return error;
	*vcpu = vcpu_find(*tvm, args[1]);
	if (*vcpu && (*tvm)->aia.on)
		return COVE_SUCCESS;
	tvm_unlock(*tvm);
	return COVE_ERR_INVALID_PARAM;
}

/* a0 = TVM, a1 = vCPU, a2 = GPA */
struct answer covi_set_tvm_aia_cpu_imsic_addr(const u64 *args)
{
	struct vcpu *vcpu;
	struct tvm *tvm;
	s64 error = lock_vcpu(args, COVE_TVM_STATE_INITIALIZING, &tvm, &vcpu);

	if (error)
		return answer_error(error);
	error = aia_place(tvm, vcpu, args[2]);
	tvm_unlock(tvm);
	return answer_error(error);
}

/* a0 = page */
struct answer covi_convert_aia_imsic(const u64 *args)
{
	return answer_error(file_convert(args[0]));
}

/* a0 = page */
struct answer covi_reclaim_tvm_aia_imsic(const u64 *args)
{
	return answer_error(file_reclaim(args[0]));
}

/* The guest says which interrupts the host may make. */
static s64 inject(struct vcpu *vcpu, u64 id)
{
	if (!id || id > files_max_id() ||
	    !(vcpu->allowed[id / 64] >> id % 64 & 1))
		return COVE_ERR_INVALID_PARAM;
	aia_deliver(vcpu, id);
	return COVE_SUCCESS;
}

/* The calls that change, or use, where a vCPU is bound: a2 = mask, if any */
static struct answer bound_call(const u64 *args, u64 function)
{
	unsigned int hart = arch_hart();
	struct vcpu *vcpu;
	struct tvm *tvm;
	s64 error = lock_vcpu(args, COVE_TVM_STATE_RUNNABLE, &tvm, &vcpu);

	if (error)
		return answer_error(error);
	switch (function) {
	case COVE_COVI_BIND_AIA_IMSIC:
		error = aia_bind(vcpu, hart, args[2]);
		break;
	case COVE_COVI_UNBIND_AIA_IMSIC_BEGIN:
		error = aia_unbind_begin(tvm, vcpu, hart);
		break;
	case COVE_COVI_UNBIND_AIA_IMSIC_END:
		error = aia_unbind_end(tvm, vcpu, hart);
		break;
	case COVE_COVI_INJECT_TVM_CPU:
		error = inject(vcpu, args[2]);
		break;
	case COVE_COVI_REBIND_AIA_IMSIC_BEGIN:
		error = aia_rebind_begin(tvm, vcpu, hart, args[2]);
		break;
	case COVE_COVI_REBIND_AIA_IMSIC_CLONE:
		error = aia_rebind_clone(tvm, vcpu, hart);
		break;
	default:
		error = aia_rebind_end(vcpu, hart);
	}
	tvm_unlock(tvm);
	return answer_error(error);
}

/* a0 = TVM, a1 = vCPU, a2 = mask */
struct answer covi_bind_aia_imsic(const u64 *args)
{
	return bound_call(args, COVE_COVI_BIND_AIA_IMSIC);
}

/* a0 = TVM, a1 = vCPU */
struct answer covi_unbind_aia_imsic_begin(const u64 *args)
{
	return bound_call(args, COVE_COVI_UNBIND_AIA_IMSIC_BEGIN);
}

/* a0 = TVM, a1 = vCPU */
struct answer covi_unbind_aia_imsic_end(const u64 *args)
{
	return bound_call(args, COVE_COVI_UNBIND_AIA_IMSIC_END);
}

/* a0 = TVM, a1 = vCPU, a2 = interrupt */
struct answer covi_inject_tvm_cpu(const u64 *args)
{
	return bound_call(args, COVE_COVI_INJECT_TVM_CPU);
}

/* a0 = TVM, a1 = vCPU, a2 = mask */
struct answer covi_rebind_aia_imsic_begin(const u64 *args)
{
	return bound_call(args, COVE_COVI_REBIND_AIA_IMSIC_BEGIN);
}

/* a0 = TVM, a1 = vCPU */
struct answer covi_rebind_aia_imsic_clone(const u64 *args)
{
	return bound_call(args, COVE_COVI_REBIND_AIA_IMSIC_CLONE);
}

/* a0 = TVM, a1 = vCPU */
struct answer covi_rebind_aia_imsic_end(const u64 *args)
{
	return bound_call(args, COVE_COVI_REBIND_AIA_IMSIC_END);
}
