// SPDX-License-Identifier: BSD-2-Clause
/* Decoding of loads and stores, and their emulation by the host. */
#include "tests/run.h"

#define DEVICE		0x10000000UL
#define LD_S9_A5	0x0007bc83
#define LB_S9_A5	0x00078c83
#define SW_S9_A5	0x0197a023
#define C_LW_A4_A5	0x4398

static const struct {
	u32 instruction;
	bool good;
	struct access access;
} instructions[] = {
	/* size, store, sign, register, length */
	{ 0x00078c83, true, { 1, false, true, 25, 4 } },	/* lb s9 */
	{ 0x00079c83, true, { 2, false, true, 25, 4 } },	/* lh */
	{ 0x0007ac83, true, { 4, false, true, 25, 4 } },	/* lw */
	{ 0x0007bc83, true, { 8, false, true, 25, 4 } },	/* ld */
	{ 0x0007cc83, true, { 1, false, false, 25, 4 } },	/* lbu */
	{ 0x0007dc83, true, { 2, false, false, 25, 4 } },	/* lhu */
	{ 0x0007ec83, true, { 4, false, false, 25, 4 } },	/* lwu */
	{ 0x0007fc83, false, { 0 } },				/* reserved */
	{ 0x01978023, true, { 1, true, false, 25, 4 } },	/* sb s9 */
	{ 0x01979023, true, { 2, true, false, 25, 4 } },	/* sh */
	{ 0x0197a023, true, { 4, true, false, 25, 4 } },	/* sw */
	{ 0x0197b023, true, { 8, true, false, 25, 4 } },	/* sd */
	{ 0x0197c023, false, { 0 } },				/* reserved */
	{ 0x4398, true, { 4, false, true, 14, 2 } },		/* c.lw a4 */
	{ 0x6398, true, { 8, false, true, 14, 2 } },		/* c.ld a4 */
	{ 0xc398, true, { 4, true, false, 14, 2 } },		/* c.sw a4 */
	{ 0xe398, true, { 8, true, false, 14, 2 } },		/* c.sd a4 */
	{ 0x4c82, true, { 4, false, true, 25, 2 } },		/* c.lwsp s9 */
	{ 0x6c82, true, { 8, false, true, 25, 2 } },		/* c.ldsp s9 */
	{ 0x4002, false, { 0 } },				/* c.lwsp x0 */
	{ 0xc066, true, { 4, true, false, 25, 2 } },		/* c.swsp s9 */
	{ 0xe066, true, { 8, true, false, 25, 2 } },		/* c.sdsp s9 */
	{ 0x8398, true, { 1, false, false, 14, 2 } },		/* c.lbu a4 */
	{ 0x8798, true, { 2, false, false, 14, 2 } },		/* c.lhu a4 */
	{ 0x87d8, true, { 2, false, true, 14, 2 } },		/* c.lh a4 */
	{ 0x8b98, true, { 1, true, false, 14, 2 } },		/* c.sb a4 */
	{ 0x8f98, true, { 2, true, false, 14, 2 } },		/* c.sh a4 */
	{ 0x8fd8, false, { 0 } },				/* reserved */
	{ 0x2398, false, { 0 } },				/* c.fld */
	{ 0xa398, false, { 0 } },				/* c.fsd */
	{ 0x0007b707, false, { 0 } },				/* fld */
	{ 0x00e7b027, false, { 0 } },				/* fsd */
	{ 0x0007a72f, false, { 0 } },				/* amoadd.w */
	{ 0x1007a72f, false, { 0 } },				/* lr.w */
	{ 0x00000001, false, { 0 } },				/* c.nop */
	{ 0x00000000, false, { 0 } },
	{ 0xffffffff, false, { 0 } },
};

static void instructions_are_decoded(void)
{
	struct access got;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(instructions); i++) {
		const struct access *want = &instructions[i].access;

		memset(&got, 0, sizeof(got));
		check_equal(decode_access(instructions[i].instruction, &got),
			    instructions[i].good);
		if (!instructions[i].good)
			continue;
		check_equal(got.size, want->size);
		check_equal(got.store, want->store);
		/* Where all bits are read there is nothing to extend. */
		if (!want->store && want->size < 8)
			check_equal(got.sign, want->sign);
		check_equal(got.reg, want->reg);
		check_equal(got.length, want->length);
	}
}

static void values_are_extended(void)
{
	const struct access lb = { .size = 1, .sign = true };
	const struct access lhu = { .size = 2 };
	const struct access lw = { .size = 4, .sign = true };
	const struct access ld = { .size = 8, .sign = true };

	check_equal(access_extend(&lb, 0xff80), -128);
	check_equal(access_extend(&lb, 0xff7f), 127);
	check_equal(access_extend(&lhu, 0x18765), 0x8765);
	check_equal(access_extend(&lw, 0x80000000), -0x80000000L);
	check_equal(access_extend(&ld, ~0UL), -1);
	check_equal(access_truncate(&lhu, ~0UL), 0xffff);
	check_equal(access_truncate(&ld, ~0UL), -1);
	check_equal(access_transformed(&lb), 0x00000503);
	check_equal(access_transformed(&lhu), 0x00005503);
	check_equal(access_transformed(&lw), 0x00002503);
	check_equal(access_transformed(&ld), 0x00003503);
	check_equal(access_transformed(&(struct access){ .size = 4,
							 .store = true }),
		    0x00a02023);
}

static u64 csr_slot(unsigned int number)
{
	return test_nacl()->csr[(number & 0xc00) >> 2 | (number & 0xff)];
}

/* The guest asks for a device, then touches it at this offset. */
static u64 offset;
static u64 cause;

static void fault(struct guest_context *guest)
{
	guest->scause = cause;
	guest->htval = (DEVICE + offset) >> 2;
	guest->stval = offset & 3;
	guest->htinst = 0;
}

static void ask_for_device(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, COVE_COVG_ADD_MMIO_REGION, DEVICE,
	      PAGE_SIZE, 0);
}

static void begin(u64 at, u64 scause, u32 instruction)
{
	tvm = start_tvm();
	offset = at;
	cause = scause;
	fake.instruction = instruction;
	check_equal(run(ask_for_device).scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[A0], DEVICE);
	check_equal(test_nacl()->gpr[A1], PAGE_SIZE);
}

static u64 wanted, wanted_pc;

static void after_load(struct guest_context *guest)
{
	check_equal(guest->gpr[25], wanted);
	check_equal(guest->sepc, wanted_pc);
	interrupt(guest);
}

static void loads_take_the_hosts_value(void)
{
	struct answer answer;

	begin(0x123, CAUSE_LOAD_GUEST_PAGE, LB_S9_A5);
	memset(test_nacl()->gpr, 0x55, sizeof(test_nacl()->gpr));
	answer = run(fault);
	check_equal(answer.value, 0);
	check_equal(answer.scause, CAUSE_LOAD_GUEST_PAGE);
	check_equal(answer.stval, 3);
	check_equal(csr_slot(CSR_HTVAL), (DEVICE + 0x123) >> 2);
	check_equal(csr_slot(CSR_HTINST), 0x503);
	check_equal(test_nacl()->gpr[A0], 0);
	test_nacl()->gpr[A0] = 0x1234567890abcd81;
	wanted = -127;
	wanted_pc = GUEST_BASE + 4 + 4;
	check_equal(run(after_load).error, 0);
	check_equal(test_nacl()->gpr[A0], 0);
}

static void set_and_fault(struct guest_context *guest)
{
	guest->gpr[25] = 0x1122334455667788;
	fault(guest);
}

static void stores_show_one_value(void)
{
	unsigned int i;

	begin(0x10, CAUSE_STORE_GUEST_PAGE, SW_S9_A5);
	memset(test_nacl()->gpr, 0x55, sizeof(test_nacl()->gpr));
	check_equal(run(set_and_fault).scause, CAUSE_STORE_GUEST_PAGE);
	check_equal(csr_slot(CSR_HTINST), 0x00a02023);
	check_equal(test_nacl()->gpr[A0], 0x55667788);
	for (i = 1; i < 8; i++)
		check_equal(test_nacl()->gpr[A0 + i], 0);
	test_nacl()->gpr[A0] = 0;
	wanted = 0x1122334455667788;
	wanted_pc = GUEST_BASE + 4 + 4;
	check_equal(run(after_load).error, 0);
}

/* The guest's own handler has the trap at once, the host sees nothing. */
static u64 wanted_cause, wanted_tval;

static void fault_then_look(struct guest_context *guest)
{
	if (fake.guest_entries == 2) {
		guest->vstvec = GUEST_BASE + 0x100;
		fault(guest);
		return;
	}
	check_equal(guest->vscause, wanted_cause);
	check_equal(guest->vstval, wanted_tval);
	check_equal(guest->vsepc, GUEST_BASE + 4);
	check_equal(guest->sepc, GUEST_BASE + 0x100);
	interrupt(guest);
}

static void other_accesses_are_the_guests(void)
{
	begin(0, CAUSE_STORE_GUEST_PAGE, 0x0007a72f);
	wanted_cause = CAUSE_ILLEGAL;
	wanted_tval = 0x0007a72f;
	check_equal(run(fault_then_look).scause, CAUSE_INTERRUPT | 5);
}

static void misaligned_ones_too(void)
{
	begin(6, CAUSE_LOAD_GUEST_PAGE, LD_S9_A5);
	wanted_cause = CAUSE_LOAD_MISALIGNED;
	wanted_tval = 2;
	check_equal(run(fault_then_look).scause, CAUSE_INTERRUPT | 5);
}

static void fault_then_leave(struct guest_context *guest)
{
	if (fake.guest_entries == 2)
		fault(guest);
	else
		interrupt(guest);
}

static void what_cannot_be_fetched_is_tried_again(void)
{
	begin(0, CAUSE_LOAD_GUEST_PAGE, LD_S9_A5);
	fake.fetch_fails = true;
	check_equal(run(fault_then_leave).scause, CAUSE_INTERRUPT | 5);
	check_equal(fake.guest_entries, 3);
}

static void another_instruction_is_tried_again(void)
{
	begin(0, CAUSE_STORE_GUEST_PAGE, LD_S9_A5);
	check_equal(run(fault_then_leave).scause, CAUSE_INTERRUPT | 5);
}

static void page_table_walk(struct guest_context *guest)
{
	fault(guest);
	guest->htinst = 0x3000;
}

static void fetch(struct guest_context *guest)
{
	fault(guest);
	guest->scause = CAUSE_FETCH_GUEST_PAGE;
}

static void device_is_no_memory(void)
{
	begin(0, CAUSE_LOAD_GUEST_PAGE, LD_S9_A5);
	check_equal(run(page_table_walk).value, 1);
	fake_boot();
	begin(0, CAUSE_LOAD_GUEST_PAGE, LD_S9_A5);
	check_equal(run(fetch).value, 1);
}

const struct test mmio_tests[] = {
	{ "mmio: decoding", instructions_are_decoded },
	{ "mmio: extension", values_are_extended },
	{ "mmio: load", loads_take_the_hosts_value },
	{ "mmio: store", stores_show_one_value },
	{ "mmio: illegal", other_accesses_are_the_guests },
	{ "mmio: misaligned", misaligned_ones_too },
	{ "mmio: fetch fails", what_cannot_be_fetched_is_tried_again },
	{ "mmio: code changes", another_instruction_is_tried_again },
	{ "mmio: no memory", device_is_no_memory },
	{ NULL, NULL },
};
