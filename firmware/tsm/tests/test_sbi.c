// SPDX-License-Identifier: BSD-2-Clause
/* The SBI that a guest sees: what is forwarded and what stays inside. */
#include "tests/run.h"

static void putchar_guest(struct guest_context *guest)
{
	ecall(guest, COVE_EID_LEGACY_PUTCHAR, 5, 'x', 0x5ec, 0xe7);
}

static void after_putchar(struct guest_context *guest)
{
	check_equal(guest->sepc, GUEST_BASE + 4);
	check_equal(guest->gpr[A0], 7);
	check_equal(guest->gpr[A1], 0x5ec);
	interrupt(guest);
}

static void putchar_is_forwarded(void)
{
	struct answer answer;
	unsigned int i;

	tvm = start_tvm();
	memset(test_nacl(), 0xee, sizeof(struct nacl));
	answer = run(putchar_guest);
	check_equal(answer.error | answer.value, 0);
	check_equal(answer.scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[A0], 'x');
	check_equal(test_nacl()->gpr[17], COVE_EID_LEGACY_PUTCHAR);
	/* What the call does not need, the host does not see. */
	for (i = 11; i < 17; i++)
		check_equal(test_nacl()->gpr[i], 0);
	test_nacl()->gpr[A0] = 7;
	test_nacl()->gpr[A1] = 8;
	check_equal(run(after_putchar).error, 0);
}

static void write_byte(struct guest_context *guest)
{
	ecall(guest, COVE_EID_DBCN, COVE_DBCN_CONSOLE_WRITE_BYTE, 'y', 1, 2);
}

static void after_write_byte(struct guest_context *guest)
{
	check_equal(guest->gpr[A0], (u64)-1);
	check_equal(guest->gpr[A1], 8);
	interrupt(guest);
}

/* The host's registers count once, and only as a reply. */
static void after_reply(struct guest_context *guest)
{
	check_equal(guest->gpr[A0], (u64)-1);
	interrupt(guest);
}

static void write_byte_is_forwarded(void)
{
	tvm = start_tvm();
	check_equal(run(write_byte).scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[16], COVE_DBCN_CONSOLE_WRITE_BYTE);
	/* The vCPU may go on on the other hart, with that hart's memory. */
	fake.hart = 1;
	test_nacl()->gpr[A0] = -1;
	test_nacl()->gpr[A1] = 8;
	check_equal(run(after_write_byte).error, 0);
	test_nacl()->gpr[A0] = 5;
	check_equal(run(after_reply).error, 0);
}

/* A guest that makes calls which stay in the TSM, then is interrupted. */
static void base_calls(struct guest_context *guest)
{
	switch (fake.guest_entries) {
	case 1:
		ecall(guest, COVE_EID_BASE, COVE_BASE_PROBE_EXTENSION,
		      COVE_EID_SRST, 0, 0);
		break;
	case 2:
		check_equal(guest->gpr[A0], 0);
		check_equal(guest->gpr[A1], 1);
		ecall(guest, COVE_EID_BASE, COVE_BASE_PROBE_EXTENSION,
		      COVE_EID_COVH, 0, 0);
		break;
	case 3:
		check_equal(guest->gpr[A0], 0);
		check_equal(guest->gpr[A1], 0);
		ecall(guest, COVE_EID_BASE, 99, 0, 0, 0);
		break;
	case 4:
		check_equal((s64)guest->gpr[A0], COVE_ERR_NOT_SUPPORTED);
		ecall(guest, COVE_EID_TSMD, COVE_TSMD_RET, 0, 0, 0);
		break;
	case 5:
		check_equal((s64)guest->gpr[A0], COVE_ERR_NOT_SUPPORTED);
		ecall(guest, COVE_EID_COVH, 0, 0, 0, 0);
		break;
	case 6:
		check_equal((s64)guest->gpr[A0], COVE_ERR_NOT_SUPPORTED);
		ecall(guest, COVE_EID_PMU, 0, 1, GUEST_BASE, 0);
		break;
	case 7:
		check_equal((s64)guest->gpr[A0], COVE_ERR_NOT_SUPPORTED);
		ecall(guest, COVE_EID_SRST, 0, 3, 0, 0);
		break;
	case 8:
		check_equal((s64)guest->gpr[A0], PARAM);
		check_equal(guest->sepc, GUEST_BASE + 28);
		interrupt(guest);
		break;
	}
}

static void own_calls_stay_inside(void)
{
	tvm = start_tvm();
	check_equal(run(base_calls).scause, CAUSE_INTERRUPT | 5);
	check_equal(fake.guest_entries, 8);
	check_equal(fake.fences, 2);
}

static void read_measurements(struct guest_context *guest)
{
	/* Register, room, address and the answer expected for it */
	static const struct {
		u64 gpa, size, index;
		s64 error;
	} calls[] = {
		{ GUEST_BASE, 48, 4, 0 },
		{ GUEST_BASE + PAGE_SIZE, 64, 5, 0 },
		{ GUEST_BASE, 47, 4, PARAM },
		{ GUEST_BASE + PAGE_SIZE, 48, 9, 0 },
		{ GUEST_BASE + PAGE_SIZE, 48, 5, 0 },
		{ GUEST_BASE, 48, 10, PARAM },
		{ GUEST_BASE + 64, 48, 4, COVE_ERR_INVALID_ADDRESS },
		{ GUEST_BASE + 2 * PAGE_SIZE, 48, 4, COVE_ERR_INVALID_ADDRESS },
		{ ~0xfffUL, 48, 4, COVE_ERR_INVALID_ADDRESS },
	};
	unsigned int next = fake.guest_entries - 1;

	if (next)
		check_equal((s64)guest->gpr[A0], calls[next - 1].error);
	if (next == ARRAY_SIZE(calls)) {
		interrupt(guest);
		return;
	}
	ecall(guest, COVE_EID_COVG, COVE_COVG_READ_MEASUREMENT,
	      calls[next].gpa, calls[next].size, calls[next].index);
}

static void guest_reads_its_measurement(void)
{
	struct tvm *object;

	tvm = start_tvm();
	check_equal(run(read_measurements).error, 0);
	check_equal(tvm_lock(tvm, &object), 0);
	tvm_unlock(object);
	check_equal(memcmp(phys_to_virt(AT_DATA), object->pages_digest, 48),
		    0);
	check_equal(memcmp(phys_to_virt(AT_DATA + PAGE_SIZE),
			   object->entry_digest, 48), 0);
}

const struct test sbi_tests[] = {
	{ "sbi: putchar", putchar_is_forwarded },
	{ "sbi: DBCN write_byte", write_byte_is_forwarded },
	{ "sbi: own calls", own_calls_stay_inside },
	{ "sbi: read_measurement", guest_reads_its_measurement },
	{ NULL, NULL },
};
