// SPDX-License-Identifier: BSD-2-Clause
/* The short calls that make a TVM. */
#include "call/call.h"

#define DIRECTORY_ALIGN		(TVM_DIRECTORY_PAGES * PAGE_SIZE)

/* cove.md 2.6 */
struct tvm_create_params {
	u64 page_directory;
	u64 state;
};

/* Claim a whole range of unassigned pages for a TVM. */
static s64 claim_unassigned(u64 base, u64 count)
{
	s64 error = pages_check_range(base, count);

	return error ? error : pages_claim(base, count, PAGE_UNASSIGNED);
}

/* The pages are claimed; make them a TVM if there is a slot. */
static struct answer create_from(const struct tvm_create_params *params)
{
	struct answer answer = { 0 };
	struct tvm *tvm;

	pages_scrub(params->page_directory, TVM_DIRECTORY_PAGES);
	pages_scrub(params->state, TVM_STATE_PAGES);
	tvm = tvm_create(params->state, params->page_directory);
	if (!tvm) {
		pages_unclaim(params->page_directory, TVM_DIRECTORY_PAGES);
		pages_unclaim(params->state, TVM_STATE_PAGES);
		return answer_error(COVE_ERR_FAILED);
	}
	pages_give(params->page_directory, TVM_DIRECTORY_PAGES,
		   PAGE_TVM_STATE, tvm->slot);
	pages_give(params->state, TVM_STATE_PAGES, PAGE_TVM_STATE, tvm->slot);
	answer.value = tvm->id;
	tvm_unlock(tvm);
	return answer;
}

/* a0 = struct tvm_create_params, a1 = its size */
struct answer covh_create_tvm(const u64 *args)
{
	struct tvm_create_params params;
	s64 error;

	if (args[1] < sizeof(params))
		return answer_error(COVE_ERR_INVALID_PARAM);
	if (args[0] & (sizeof(u64) - 1))
		return answer_error(COVE_ERR_INVALID_ADDRESS);
	error = host_copy_in(&params, args[0], sizeof(params));
	if (error)
		return answer_error(error);
	if (params.page_directory % DIRECTORY_ALIGN)
		return answer_error(COVE_ERR_INVALID_ADDRESS);
	error = claim_unassigned(params.page_directory, TVM_DIRECTORY_PAGES);
	if (error)
		return answer_error(error);
	/* One page cannot be both: it is claimed already. */
	error = claim_unassigned(params.state, TVM_STATE_PAGES);
	if (error) {
		pages_unclaim(params.page_directory, TVM_DIRECTORY_PAGES);
		return answer_error(error);
	}
	return create_from(&params);
}

/* a0 = TVM, a1 = GPA, a2 = size in bytes */
struct answer covh_add_tvm_memory_region(const u64 *args)
{
	u64 gpa = args[1], size = args[2];
	struct tvm *tvm;
	s64 error;

	if (!size || !page_aligned(size))
		return answer_error(COVE_ERR_INVALID_PARAM);
	if (!page_aligned(gpa) || !range_inside(gpa, size, 0, GSTAGE_END))
		return answer_error(COVE_ERR_INVALID_ADDRESS);
	error = tvm_lock_in_state(args[0], COVE_TVM_STATE_INITIALIZING, &tvm);
	if (error)
		return answer_error(error);
	error = tvm_add_region(tvm, gpa, size, REGION_CONFIDENTIAL);
	tvm_unlock(tvm);
	return answer_error(error);
}

static s64 create_vcpu(struct tvm *tvm, u64 id, u64 base)
{
	u64 count = vcpu_state_pages();
	s64 error;

	if (!vcpu_id_free(tvm, id))
		return COVE_ERR_INVALID_PARAM;
	error = claim_unassigned(base, count);
	if (error)
		return error;
	pages_scrub(base, count);
	pages_give(base, count, PAGE_TVM_VCPU, tvm->slot);
	vcpu_create(tvm, id, base);
	return COVE_SUCCESS;
}

/* a0 = TVM, a1 = vCPU, a2 = state pages */
struct answer covh_create_tvm_vcpu(const u64 *args)
{
	struct tvm *tvm;
	s64 error;

	error = tvm_lock_in_state(args[0], COVE_TVM_STATE_INITIALIZING, &tvm);
	if (error)
		return answer_error(error);
	error = create_vcpu(tvm, args[1], args[2]);
	tvm_unlock(tvm);
	return answer_error(error);
}

static s64 finalize(struct tvm *tvm, u64 pc, u64 arg, const u8 *identity)
{
	struct vcpu *boot = vcpu_find(tvm, 0);

	if (!boot || !aia_complete(tvm))
		return COVE_ERR_FAILED;
	measure_word(tvm->entry_digest, pc);
	measure_word(tvm->entry_digest, arg);
	memcpy(tvm->identity, identity, TVM_IDENTITY_SIZE);
	vcpu_start(boot, pc, arg);
	tvm->state = COVE_TVM_STATE_RUNNABLE;
	return COVE_SUCCESS;
}

/* The identity is copied before the TVM is locked: once, and in no hurry. */
static s64 take_identity(u8 identity[TVM_IDENTITY_SIZE], u64 address)
{
	memset(identity, 0, TVM_IDENTITY_SIZE);
	if (!address)
		return COVE_SUCCESS;
	if (address % TVM_IDENTITY_SIZE ||
	    host_copy_in(identity, address, TVM_IDENTITY_SIZE))
		return COVE_ERR_INVALID_PARAM;
	return COVE_SUCCESS;
}

/* a0 = TVM, a1 = entry pc, a2 = entry argument, a3 = identity or 0 */
struct answer covh_finalize_tvm(const u64 *args)
{
	u8 identity[TVM_IDENTITY_SIZE];
	struct tvm *tvm;
	s64 error;

	error = take_identity(identity, args[3]);
	if (error)
		return answer_error(error);
	error = tvm_lock_in_state(args[0], COVE_TVM_STATE_INITIALIZING, &tvm);
	if (error)
		return answer_error(error);
	error = finalize(tvm, args[1], args[2], identity);
	tvm_unlock(tvm);
	return answer_error(error);
}
