// SPDX-License-Identifier: BSD-2-Clause
/* What the TSM says of itself, and the fences. */
#include "attest/attest.h"
#include "call/call.h"
#include "mem/files.h"

#define TSM_VERSION	1

/* cove.md 2.6, main layout */
struct tsm_info {
	u32 state;
	u32 impl_id;
	u32 version;
	u32 reserved;
	u64 capabilities;
	u64 tvm_state_pages;
	u64 tvm_max_vcpus;
	u64 tvm_vcpu_state_pages;
};

_Static_assert(sizeof(struct tsm_info) == 48,
	       "CoVE fixes the layout of struct tsm_info");

/* a0 = buffer, a1 = its size */
struct answer covh_get_tsm_info(const u64 *args)
{
	const struct tsm_info info = {
		.state = COVE_TSM_STATE_READY,
		.impl_id = COVE_TSM_IMPL_ID,
		.version = TSM_VERSION,
		.capabilities = COVE_TSM_CAP_MEMORY_ALLOCATION |
				(files_possible() ? COVE_TSM_CAP_AIA : 0) |
				(attest_possible() ?
				 COVE_TSM_CAP_ATTESTATION_REMOTE : 0),
		.tvm_state_pages = TVM_STATE_PAGES,
		.tvm_max_vcpus = TVM_MAX_VCPUS,
		.tvm_vcpu_state_pages = vcpu_state_pages(),
	};
	s64 error;

	if (args[1] < sizeof(info))
		return answer_error(COVE_ERR_INVALID_PARAM);
	if (args[0] & (sizeof(u32) - 1))
		return answer_error(COVE_ERR_INVALID_ADDRESS);
	error = host_copy_out(args[0], &info, sizeof(info));
	if (error)
		return answer_error(error);
	return (struct answer){ .value = sizeof(info) };
}

struct answer covh_global_fence(const u64 *args)
{
	(void)args;
	return answer_error(fence_start());
}

/*
 * M-mode has fenced this hart when it took the pages away; what the call adds
 * is the host's word that its own kernel has forgotten them too.
 */
struct answer covh_local_fence(const u64 *args)
{
	(void)args;
	fence_local(arch_hart());
	return answer_error(COVE_SUCCESS);
}
