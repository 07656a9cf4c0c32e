// SPDX-License-Identifier: BSD-2-Clause
/* From a host's registers to the function that answers. */
#include "call/call.h"
#include "call/covi.h"
#include "mem/files.h"
#include "run/run.h"
#ifdef TSM_FAULTS
#include "fault/fault.h"
#endif

void tsm_teecall(const struct teecall *call) __attribute__((noreturn));

/* Short calls have a handler, long ones a kind, all others neither. */
struct function {
	call_handler handler;
	const struct long_kind *kind;
	/*
	 * Touches no page, TVM or vCPU: an interrupted call stays open beside
	 * it. The host makes such calls in interrupt handlers (the fence of a
	 * conversion on another hart), and that is not its giving up the call
	 * that was interrupted. Those that are not supported touch nothing.
	 */
	bool beside;
};

static const struct function covh[] = {
	[COVE_COVH_GET_TSM_INFO] = { .handler = covh_get_tsm_info,
				     .beside = true },
	[COVE_COVH_CONVERT_PAGES] = { .kind = &convert_pages },
	[COVE_COVH_RECLAIM_PAGES] = { .kind = &reclaim_pages },
	[COVE_COVH_GLOBAL_FENCE] = { .handler = covh_global_fence,
				     .beside = true },
	[COVE_COVH_LOCAL_FENCE] = { .handler = covh_local_fence,
				    .beside = true },
	[COVE_COVH_CREATE_TVM] = { .handler = covh_create_tvm },
	[COVE_COVH_FINALIZE_TVM] = { .handler = covh_finalize_tvm },
	[COVE_COVH_DESTROY_TVM] = { .kind = &destroy_tvm },
	[COVE_COVH_ADD_TVM_MEMORY_REGION] = {
		.handler = covh_add_tvm_memory_region,
	},
	[COVE_COVH_ADD_TVM_PAGE_TABLE_PAGES] = {
		.kind = &add_tvm_page_table_pages,
	},
	[COVE_COVH_ADD_TVM_MEASURED_PAGES] = {
		.kind = &add_tvm_measured_pages,
	},
	[COVE_COVH_ADD_TVM_ZERO_PAGES] = { .kind = &add_tvm_zero_pages },
	[COVE_COVH_ADD_TVM_SHARED_PAGES] = { .kind = &add_tvm_shared_pages },
	[COVE_COVH_CREATE_TVM_VCPU] = { .handler = covh_create_tvm_vcpu },
	[COVE_COVH_RUN_TVM_VCPU] = { .handler = covh_run_tvm_vcpu },
	[COVE_COVH_TVM_FENCE] = { .handler = covh_tvm_fence },
	[COVE_COVH_TVM_INVALIDATE_PAGES] = { .kind = &tvm_invalidate_pages },
	[COVE_COVH_TVM_VALIDATE_PAGES] = { .kind = &tvm_validate_pages },
	[COVE_COVH_TVM_REMOVE_PAGES] = { .kind = &tvm_remove_pages },
};

/* None of them is long. */
static const call_handler covi[] = {
	[COVE_COVI_INIT_TVM_AIA] = covi_init_tvm_aia,
	[COVE_COVI_SET_TVM_AIA_CPU_IMSIC_ADDR] =
		covi_set_tvm_aia_cpu_imsic_addr,
	[COVE_COVI_CONVERT_AIA_IMSIC] = covi_convert_aia_imsic,
	[COVE_COVI_RECLAIM_TVM_AIA_IMSIC] = covi_reclaim_tvm_aia_imsic,
	[COVE_COVI_BIND_AIA_IMSIC] = covi_bind_aia_imsic,
	[COVE_COVI_UNBIND_AIA_IMSIC_BEGIN] = covi_unbind_aia_imsic_begin,
	[COVE_COVI_UNBIND_AIA_IMSIC_END] = covi_unbind_aia_imsic_end,
	[COVE_COVI_INJECT_TVM_CPU] = covi_inject_tvm_cpu,
	[COVE_COVI_REBIND_AIA_IMSIC_BEGIN] = covi_rebind_aia_imsic_begin,
	[COVE_COVI_REBIND_AIA_IMSIC_CLONE] = covi_rebind_aia_imsic_clone,
	[COVE_COVI_REBIND_AIA_IMSIC_END] = covi_rebind_aia_imsic_end,
};

/* Private numbers, far behind the table's. */
static const struct function promote_page = { .handler = covh_promote_page };
static const struct function demote_page = { .handler = covh_demote_page };

static const struct function *find_private(u64 number)
{
	switch (number) {
	case COVE_COVH_PROMOTE_PAGE:
		return &promote_page;
	case COVE_COVH_DEMOTE_PAGE:
		return &demote_page;
	default:
		return NULL;
	}
}

/* M-mode has checked the SDID; reserved bits make it another function. */
static u64 function_number(const struct teecall *call)
{
	return call->args[6] &
	       ~((u64)COVE_A6_SDID_MASK << COVE_A6_SDID_SHIFT);
}

static const struct function *find(const struct teecall *call)
{
	u64 number = function_number(call);

	if (call->args[7] != COVE_EID_COVH)
		return NULL;
	if (number >= ARRAY_SIZE(covh))
		return find_private(number);
	return &covh[number];
}

static bool is_covi(const struct teecall *call)
{
	return call->args[7] == COVE_EID_COVI && files_possible();
}

/* Out of line, so that COVH calls do not pay for it. */
static struct answer __attribute__((noinline))
new_covi_call(const struct teecall *call)
{
	u64 number = function_number(call);

	if (!files_possible() || number >= ARRAY_SIZE(covi))
		return answer_error(COVE_ERR_NOT_SUPPORTED);
	return covi[number](call->args);
}

static inline struct answer new_call(const struct teecall *call)
{
	const struct function *function = find(call);

#ifdef TSM_FAULTS
	fault_inject(function_number(call), call->args);
#endif
	if (!function && call->args[7] == COVE_EID_COVI)
		return new_covi_call(call);
	if (!function)
		return answer_error(COVE_ERR_NOT_SUPPORTED);
	if (function->kind)
		return long_start(function->kind, call);
	if (function->handler)
		return function->handler(call->args);
	return answer_error(COVE_ERR_NOT_SUPPORTED);
}

/* Out of line, so that calls which find none open do not pay for it. */
static struct answer __attribute__((noinline))
with_open_call(const struct teecall *call)
{
	const struct function *function = find(call);
	struct answer answer;

	if (long_resume(call, &answer))
		return answer;
	/* All COVI calls but those of a machine without AIA give it up. */
	if (!function && !is_covi(call))
		return answer_error(COVE_ERR_NOT_SUPPORTED);
	if (function && function->beside)
		return function->handler(call->args);
	/* The host wants something else: the open call never happened. */
	if (!long_drop())
		return (struct answer){ .interrupted = true };
	return new_call(call);
}

/*
 * What a stopped hart's open call keeps is set free in steps, before the call
 * that needs it is made once more: the host executes its ECALL again.
 */
static inline struct answer dispatch(const struct teecall *call)
{
	struct answer answer;

	fence_see(arch_hart());
	answer = long_to_settle() ? with_open_call(call) : new_call(call);
	if (!answer.interrupted && long_stopped_in_the_way(answer.error))
		return (struct answer){ .interrupted = true };
	return answer;
}

struct answer call_dispatch(const struct teecall *call)
{
	return dispatch(call);
}

/* Where entry.S goes on in C at every call. */
void tsm_teecall(const struct teecall *call)
{
	struct answer answer = dispatch(call);

	if (answer.interrupted)
		tsmd_ret_interrupted();
	tsmd_ret(&answer);
}
