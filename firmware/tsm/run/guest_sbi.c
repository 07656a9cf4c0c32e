// SPDX-License-Identifier: BSD-2-Clause
/* The SBI that a TVM sees (cove.md 4.3). */
#include "arch/csr.h"
#include "attest/attest.h"
#include "run/run.h"

#define SBI_VERSION		0x02000000
#define TSM_SBI_VERSION		1
#define SRST_LAST_TYPE		2

/* Registers of an ECALL, as bits of nacl_put_ecall's mask */
#define A0			(1 << 0)
#define A1			(1 << 1)
#define A6			(1 << 6)
#define A7			(1 << 7)

/* What the TSM itself answers with */
struct sbi_ret {
	s64 error;
	u64 value;
};

static enum after_trap answer(struct guest_context *guest, struct sbi_ret ret)
{
	guest->gpr[10] = (u64)ret.error;
	guest->gpr[11] = ret.value;
	return STAY;
}

/* An answer without a value */
static enum after_trap status(struct guest_context *guest, s64 error)
{
	return answer(guest, (struct sbi_ret){ .error = error });
}

/* The host does it; its answer comes with the next run. */
static enum after_trap forward(struct run *run, unsigned int registers,
			       enum vcpu_reply reply)
{
	nacl_put_ecall(run->nacl, &run->vcpu->context, registers);
	run->vcpu->reply = reply;
	return run_leave(run, CAUSE_ECALL_VS, 0);
}

static bool offered(u64 eid)
{
	switch (eid) {
	case COVE_EID_BASE:
	case COVE_EID_LEGACY_PUTCHAR:
	case COVE_EID_DBCN:
	case COVE_EID_SRST:
	case COVE_EID_COVG:
		return true;
	default:
		return false;
	}
}

static enum after_trap base_call(struct guest_context *guest, u64 function)
{
	struct sbi_ret ret = { 0 };

	switch (function) {
	case COVE_BASE_GET_SPEC_VERSION:
		ret.value = SBI_VERSION;
		break;
	case COVE_BASE_GET_IMPL_ID:
		ret.value = COVE_TSM_IMPL_ID;
		break;
	case COVE_BASE_GET_IMPL_VERSION:
		ret.value = TSM_SBI_VERSION;
		break;
	case COVE_BASE_PROBE_EXTENSION:
		ret.value = offered(guest->gpr[10]);
		break;
	case COVE_BASE_GET_MVENDORID:
	case COVE_BASE_GET_MARCHID:
	case COVE_BASE_GET_MIMPID:
		/* 0 is "not given": the TVM could not trust it anyway. */
		break;
	default:
		ret.error = COVE_ERR_NOT_SUPPORTED;
	}
	return answer(guest, ret);
}

static enum after_trap console_call(struct run *run, u64 function)
{
	/* The other functions need memory that the TVM shares with the host. */
	if (function != COVE_DBCN_CONSOLE_WRITE_BYTE)
		return status(&run->vcpu->context, COVE_ERR_NOT_SUPPORTED);
	return forward(run, A0 | A6 | A7, REPLY_A0_A1);
}

/* The guest has ended: no vCPU of it runs again. */
static enum after_trap system_reset(struct run *run, u64 function)
{
	struct guest_context *guest = &run->vcpu->context;

	if (function != COVE_SRST_SYSTEM_RESET)
		return status(guest, COVE_ERR_NOT_SUPPORTED);
	if (guest->gpr[10] > SRST_LAST_TYPE)
		return status(guest, COVE_ERR_INVALID_PARAM);
	tvm_relock(run->tvm);
	run->tvm->down = true;
	tvm_unlock(run->tvm);
	nacl_put_ecall(run->nacl, guest, A0 | A1 | A6 | A7);
	return run_leave_dead(run, CAUSE_ECALL_VS, 0);
}

/* One line a function; what is not here is not supported. */
static enum after_trap (*const covg[])(struct run *run) = {
	[COVE_COVG_GET_ATTCAPS] = attest_get_attcaps,
	[COVE_COVG_EXTEND_MEASUREMENT] = attest_extend_measurement,
	[COVE_COVG_GET_EVIDENCE] = attest_get_evidence,
	[COVE_COVG_READ_MEASUREMENT] = attest_read_measurement,
};

static enum after_trap covg_call(struct run *run, u64 function)
{
	if (function >= ARRAY_SIZE(covg) || !covg[function])
		return status(&run->vcpu->context, COVE_ERR_NOT_SUPPORTED);
	return covg[function](run);
}

enum after_trap run_guest_ecall(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 eid = guest->gpr[17];
	u64 function = guest->gpr[16];

	guest->sepc += 4;
	switch (eid) {
	case COVE_EID_BASE:
		return base_call(guest, function);
	case COVE_EID_LEGACY_PUTCHAR:
		/* A legacy call answers in a0 and has no function. */
		return forward(run, A0 | A7, REPLY_A0);
	case COVE_EID_DBCN:
		return console_call(run, function);
	case COVE_EID_SRST:
		return system_reset(run, function);
	case COVE_EID_COVG:
		return covg_call(run, function);
	default:
		return status(guest, COVE_ERR_NOT_SUPPORTED);
	}
}
