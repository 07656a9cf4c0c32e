// SPDX-License-Identifier: BSD-2-Clause
/*
 * The interrupt files of vCPUs. The PMP closes a file's page to the host, but
 * its registers are open to whoever runs in HS-mode on its hart, by
 * hstatus.VGEIN and vsireg. So a file holds a guest's state only while that
 * guest has the hart; at all other times the state is in the vCPU, the hart's
 * file is empty, and what the host puts there is overwritten. That is also why
 * no guest has a file's page in its tables: what it writes to its own or
 * another vCPU's comes to the TSM, which knows where the state is.
 */
#include "mem/files.h"
#include "tvm/tvm.h"

void aia_reset(struct vcpu *vcpu)
{
	memset(&vcpu->aia.file, 0, sizeof(vcpu->aia.file));
}

struct vcpu *aia_find(const struct tvm *tvm, u64 gpa)
{
	struct vcpu *vcpu;
	unsigned int i;

	for (i = 0; i < TVM_MAX_VCPUS; i++) {
		vcpu = vcpu_find(tvm, i);
		if (vcpu && vcpu->aia.placed && vcpu->aia.gpa == gpa)
			return vcpu;
	}
	return NULL;
}

s64 aia_place(struct tvm *tvm, struct vcpu *vcpu, u64 gpa)
{
	s64 error;

	if (vcpu->aia.placed)
		return COVE_ERR_INVALID_PARAM;
	if ((gpa & ~tvm->aia.index_mask) != tvm->aia.base)
		return COVE_ERR_INVALID_ADDRESS;
	/* Another vCPU's file is a region too, so none is given twice. */
	error = tvm_add_region(tvm, gpa, PAGE_SIZE, REGION_IMSIC);
	if (error)
		return error;
	vcpu->aia.placed = true;
	vcpu->aia.gpa = gpa;
	return COVE_SUCCESS;
}

bool aia_complete(const struct tvm *tvm)
{
	const struct vcpu *vcpu;
	unsigned int i;

	if (!tvm->aia.on)
		return true;
	for (i = 0; i < TVM_MAX_VCPUS; i++) {
		vcpu = vcpu_find(tvm, i);
		if (vcpu && !vcpu->aia.placed)
			return false;
	}
	return true;
}

static bool is_at(const struct vcpu *vcpu, enum bind_state bind,
		  unsigned int hart)
{
	return vcpu->aia.bind == bind && vcpu->aia.at.hart == hart;
}

/* The TVM has been fenced since the vCPU began to leave its place. */
static bool fenced(struct tvm *tvm, const struct vcpu *vcpu)
{
	return tvm_fence_settled(tvm, vcpu->aia.version &
				      BLOCKED_VERSION_MASK);
}

s64 aia_bind(struct vcpu *vcpu, unsigned int hart, u64 mask)
{
	s64 error;

	if (vcpu->aia.bind != AIA_UNBOUND)
		return COVE_ERR_INVALID_PARAM;
	error = file_bind(hart, mask, &vcpu->aia.at.number);
	if (error)
		return error;
	vcpu->aia.at.hart = hart;
	vcpu->aia.bind = AIA_BOUND;
	return COVE_SUCCESS;
}

s64 aia_unbind_begin(const struct tvm *tvm, struct vcpu *vcpu,
		     unsigned int hart)
{
	if (!is_at(vcpu, AIA_BOUND, hart))
		return COVE_ERR_INVALID_PARAM;
	vcpu->aia.version = tvm->version;
	vcpu->aia.bind = AIA_UNBINDING;
	return COVE_SUCCESS;
}

s64 aia_unbind_end(struct tvm *tvm, struct vcpu *vcpu, unsigned int hart)
{
	if (!is_at(vcpu, AIA_UNBINDING, hart) || !fenced(tvm, vcpu))
		return COVE_ERR_INVALID_PARAM;
	file_unbind(hart, vcpu->aia.at.number);
	vcpu->aia.bind = AIA_UNBOUND;
	return COVE_SUCCESS;
}

/* The vCPU may run on its old hart still: the fence waits for its exit. */
s64 aia_rebind_begin(const struct tvm *tvm, struct vcpu *vcpu,
		     unsigned int hart, u64 mask)
{
	s64 error;

	if (vcpu->aia.bind != AIA_BOUND || vcpu->aia.at.hart == hart)
		return COVE_ERR_INVALID_PARAM;
	error = file_bind(hart, mask, &vcpu->aia.next.number);
	if (error)
		return error;
	vcpu->aia.next.hart = hart;
	vcpu->aia.version = tvm->version;
	vcpu->aia.bind = AIA_REBINDING;
	return COVE_SUCCESS;
}

/* The state came out of the old hart's file when the vCPU left that hart. */
s64 aia_rebind_clone(struct tvm *tvm, struct vcpu *vcpu, unsigned int hart)
{
	if (!is_at(vcpu, AIA_REBINDING, hart) || !fenced(tvm, vcpu))
		return COVE_ERR_INVALID_PARAM;
	vcpu->aia.bind = AIA_CLONED;
	return COVE_SUCCESS;
}

s64 aia_rebind_end(struct vcpu *vcpu, unsigned int hart)
{
	if (vcpu->aia.bind != AIA_CLONED || vcpu->aia.next.hart != hart)
		return COVE_ERR_INVALID_PARAM;
	file_unbind(vcpu->aia.at.hart, vcpu->aia.at.number);
	vcpu->aia.at = vcpu->aia.next;
	vcpu->aia.bind = AIA_BOUND;
	return COVE_SUCCESS;
}

bool aia_may_run(const struct vcpu *vcpu, unsigned int hart)
{
	return is_at(vcpu, AIA_BOUND, hart);
}

void aia_load(struct vcpu *vcpu)
{
	arch_file_load(vcpu->aia.at.number, &vcpu->aia.file, files_max_id());
	vcpu->context.vgein = vcpu->aia.at.number;
	vcpu->aia.live = true;
}

void aia_put(struct vcpu *vcpu)
{
	arch_file_put(vcpu->aia.at.number, &vcpu->aia.file, files_max_id());
	vcpu->aia.live = false;
}

void aia_deliver(struct vcpu *vcpu, u32 id)
{
	if (vcpu->aia.live)
		arch_send_msi(file_page(vcpu->aia.at.hart,
					vcpu->aia.at.number), id);
	else
		vcpu->aia.file.pending[id / 64] |= 1UL << id % 64;
}

void aia_release(struct tvm *tvm)
{
	struct vcpu *vcpu;
	unsigned int i;

	for (i = 0; i < TVM_MAX_VCPUS; i++) {
		vcpu = vcpu_find(tvm, i);
		if (!vcpu)
			continue;
		if (vcpu->aia.bind != AIA_UNBOUND)
			file_unbind(vcpu->aia.at.hart, vcpu->aia.at.number);
		if (vcpu->aia.bind == AIA_REBINDING ||
		    vcpu->aia.bind == AIA_CLONED)
			file_unbind(vcpu->aia.next.hart,
				    vcpu->aia.next.number);
	}
}
