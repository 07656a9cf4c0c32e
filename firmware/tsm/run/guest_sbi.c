// SPDX-License-Identifier: BSD-2-Clause
/* The SBI that a TVM sees (cove.md 4.3). */
#include "arch/csr.h"
#include "run/run.h"

#define SBI_VERSION		0x02000000
#define TSM_SBI_VERSION		1
#define SRST_LAST_TYPE		2

/* Registers of an ECALL, as bits of nacl_put_ecall's mask */
#define A0			(1 << 0)
#define A1			(1 << 1)
#define A6			(1 << 6)
#define A7			(1 << 7)

enum after_trap run_answer(struct guest_context *guest, s64 error, u64 value)
{
	guest->gpr[10] = (u64)error;
	guest->gpr[11] = value;
	return STAY;
}

enum after_trap run_status(struct guest_context *guest, s64 error)
{
	return run_answer(guest, error, 0);
}

enum after_trap run_forward(struct run *run, unsigned int registers,
			    enum vcpu_reply reply)
{
	nacl_put_ecall(run->nacl, &run->vcpu->context, registers);
	run->vcpu->reply = reply;
	return run_leave(run, CAUSE_ECALL_VS, 0);
}

enum after_trap run_tell(struct run *run, u64 eid, u64 function, u64 arg)
{
	nacl_put_call(run->nacl, eid, function, arg);
	return run_leave(run, CAUSE_ECALL_VS, 0);
}

static bool offered(u64 eid)
{
	switch (eid) {
	case COVE_EID_BASE:
	case COVE_EID_LEGACY_PUTCHAR:
	case COVE_EID_DBCN:
	case COVE_EID_SRST:
	case COVE_EID_IPI:
	case COVE_EID_RFENCE:
	case COVE_EID_HSM:
	case COVE_EID_COVG:
		return true;
	case COVE_EID_TIME:
		return arch_have_timer();
	default:
		return false;
	}
}

static enum after_trap base_call(struct guest_context *guest, u64 function)
{
	switch (function) {
	case COVE_BASE_GET_SPEC_VERSION:
		return run_answer(guest, COVE_SUCCESS, SBI_VERSION);
	case COVE_BASE_GET_IMPL_ID:
		return run_answer(guest, COVE_SUCCESS, COVE_TSM_IMPL_ID);
	case COVE_BASE_GET_IMPL_VERSION:
		return run_answer(guest, COVE_SUCCESS, TSM_SBI_VERSION);
	case COVE_BASE_PROBE_EXTENSION:
		return run_answer(guest, COVE_SUCCESS, offered(guest->gpr[10]));
	case COVE_BASE_GET_MVENDORID:
	case COVE_BASE_GET_MARCHID:
	case COVE_BASE_GET_MIMPID:
		/* 0 is "not given": the TVM could not trust it anyway. */
		return run_status(guest, COVE_SUCCESS);
	default:
		return run_status(guest, COVE_ERR_NOT_SUPPORTED);
	}
}

/* The guest has ended: no vCPU of it runs again. */
static enum after_trap system_reset(struct run *run, u64 function)
{
	struct guest_context *guest = &run->vcpu->context;

	if (function != COVE_SRST_SYSTEM_RESET)
		return run_status(guest, COVE_ERR_NOT_SUPPORTED);
	if (guest->gpr[10] > SRST_LAST_TYPE)
		return run_status(guest, COVE_ERR_INVALID_PARAM);
	tvm_relock(run->tvm);
	run->tvm->down = true;
	tvm_unlock(run->tvm);
	nacl_put_ecall(run->nacl, guest, A0 | A1 | A6 | A7);
	return run_leave_dead(run, CAUSE_ECALL_VS, 0);
}

/* The same register that Sstc gives the guest; it is loaded on the way back. */
static enum after_trap set_timer(struct guest_context *guest, u64 function)
{
	if (function != COVE_TIME_SET_TIMER || !arch_have_timer())
		return run_status(guest, COVE_ERR_NOT_SUPPORTED);
	guest->vstimecmp = guest->gpr[10];
	return run_status(guest, COVE_SUCCESS);
}

enum after_trap run_guest_ecall(struct run *run)
{
	struct guest_context *guest = &run->vcpu->context;
	u64 eid = guest->gpr[17];
	u64 function = guest->gpr[16];

	guest->sepc += ECALL_SIZE;
	switch (eid) {
	case COVE_EID_BASE:
		return base_call(guest, function);
	case COVE_EID_LEGACY_PUTCHAR:
		/* A legacy call answers in a0 and has no function. */
		return run_forward(run, A0 | A7, REPLY_A0);
	case COVE_EID_DBCN:
		return run_console(run, function);
	case COVE_EID_SRST:
		return system_reset(run, function);
	case COVE_EID_TIME:
		return set_timer(guest, function);
	case COVE_EID_IPI:
		return run_send_ipi(run, function);
	case COVE_EID_RFENCE:
		return run_remote_fence(run, function);
	case COVE_EID_HSM:
		return run_hart_state(run, function);
	case COVE_EID_COVG:
		return run_covg(run, function);
	default:
		return run_status(guest, COVE_ERR_NOT_SUPPORTED);
	}
}
