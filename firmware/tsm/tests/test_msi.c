// SPDX-License-Identifier: BSD-2-Clause
/* Interrupts through interrupt files, and who sees what is in them. */
#include "arch/csr.h"
#include "tests/aia.h"

#define ID		33UL
#define SW_A5_A4	0x00f72023U	/* sw a5, 0(a4) */
#define LW_A5_A4	0x00072783U
#define LD_A5_A4	0x00073783U
#define SEIE		(1 << 9)

static struct interrupt_file *file_of(unsigned int hart)
{
	return &fake.file[hart][1];
}

static bool has(const struct interrupt_file *file, u64 id)
{
	return file->pending[id / 64] >> id % 64 & 1;
}

static struct answer inject(u64 id)
{
	return covi(INJECT_TVM_CPU, tvm, 0, id);
}

static void turn_on(struct guest_context *guest)
{
	struct interrupt_file *file = file_of(fake.hart);

	check_equal(guest->vgein, 1);
	file->delivery = 1;
	file->threshold = 7;
	file->enabled[0] = 1UL << ID;
	interrupt(guest);
}

static void sees_33(struct guest_context *guest)
{
	struct interrupt_file *file = file_of(fake.hart);

	check_true(has(file, ID));
	check_equal(file->delivery, 1);
	check_equal(file->threshold, 7);
	check_equal(file->enabled[0], 1UL << ID);
	file->pending[0] = 0;
	interrupt(guest);
}

static void sees_nothing(struct guest_context *guest)
{
	check_true(!has(file_of(fake.hart), ID));
	interrupt(guest);
}

static void check_empty(unsigned int hart)
{
	static const struct interrupt_file empty;

	check_equal(memcmp(file_of(hart), &empty, sizeof(empty)), 0);
}

static void test_inject(void)
{
	start_bound();
	check_equal(inject(0).error, COVE_ERR_INVALID_PARAM);
	check_equal(inject(ID + 1).error, COVE_ERR_INVALID_PARAM);
	check_equal(inject(256).error, COVE_ERR_INVALID_PARAM);
	check_equal(inject(~0UL).error, COVE_ERR_INVALID_PARAM);
	check_equal(run(turn_on).error, 0);
	check_empty(0);
	check_equal(inject(ID).error, 0);
	check_empty(0);
	check_equal(run(sees_33).error, 0);
	check_equal(run(sees_nothing).error, 0);
}

/* What the host writes into the hart's file is not the guest's. */
static void test_host_writes_file(void)
{
	start_bound();
	check_equal(run(turn_on).error, 0);
	file_of(0)->pending[0] = 1UL << ID;
	check_equal(run(sees_nothing).error, 0);
}

static void test_without_hart(void)
{
	start_bound();
	check_equal(covi(UNBIND_AIA_IMSIC_BEGIN, tvm, 0).error, 0);
	check_equal(inject(ID).error, 0);
	check_equal(covh(TVM_FENCE, tvm).error, 0);
	check_equal(covi(UNBIND_AIA_IMSIC_END, tvm, 0).error, 0);
	check_equal(covi(BIND_AIA_IMSIC, tvm, 0, 2).error, 0);
	check_equal(run(turn_on).error, 0);
	check_equal(run(sees_33).error, 0);
}

static void test_moves(void)
{
	start_bound();
	check_equal(run(turn_on).error, 0);
	check_equal(inject(ID).error, 0);
	fake.hart = 1;
	check_equal(covi(REBIND_AIA_IMSIC_BEGIN, tvm, 0, 2).error, 0);
	check_equal(covh(TVM_FENCE, tvm).error, 0);
	fake.hart = 0;
	check_equal(covi(REBIND_AIA_IMSIC_CLONE, tvm, 0).error, 0);
	fake.hart = 1;
	check_equal(covi(REBIND_AIA_IMSIC_END, tvm, 0).error, 0);
	check_equal(run(sees_33).error, 0);
	check_empty(0);
	check_empty(1);
}

/* Another hart injects while the guest has its own. */
static void meanwhile(struct guest_context *guest)
{
	check_true(!has(file_of(0), ID));
	fake.hart = 1;
	check_equal(inject(ID).error, 0);
	fake.hart = 0;
	check_equal(fake.msi_page, FILE_PAGE(0, 1));
	check_true(has(file_of(0), ID));
	interrupt(guest);
}

static void test_live(void)
{
	start_bound();
	check_equal(run(meanwhile).error, 0);
	check_equal(fake.msi, ID);
	/* It was not taken, so it is pending still. */
	check_equal(inject(ID).error, 0);
}

/* Rebinding while it runs: the vCPU leaves before its state does. */
static void moved_away(struct guest_context *guest)
{
	fake.hart = 1;
	check_equal(covi(REBIND_AIA_IMSIC_BEGIN, tvm, 0, 2).error, 0);
	check_equal(covh(TVM_FENCE, tvm).error, 0);
	fake.hart = 0;
	check_equal(covi(REBIND_AIA_IMSIC_CLONE, tvm, 0).error,
		    COVE_ERR_INVALID_PARAM);
	interrupt(guest);
}

static void test_rebind_running(void)
{
	start_bound();
	check_equal(run(moved_away).error, 0);
	check_equal(covi(REBIND_AIA_IMSIC_CLONE, tvm, 0).error, 0);
}

static void access(struct guest_context *guest, u64 cause, u64 gpa)
{
	guest->scause = cause;
	guest->stval = gpa;
	guest->htval = gpa >> 2;
	guest->htinst = 0;
}

static u64 offset, value, entries;

static void stores(struct guest_context *guest)
{
	if (entries++)
		return interrupt(guest);
	guest->sepc = 0x1000;
	guest->gpr[15] = value;
	access(guest, CAUSE_STORE_GUEST_PAGE, GUEST_IMSIC(0) + offset);
}

static void store(u64 at, u64 what, bool arrives)
{
	memset(file_of(0), 0, sizeof(*file_of(0)));
	fake.msi = 0;
	offset = at;
	value = what;
	entries = 0;
	fake.instruction = SW_A5_A4;
	check_equal(run(stores).error, 0);
	check_equal(entries, 2);
	check_equal(fake.msi, arrives ? ID : 0);
}

/* The guest is its own neighbour. */
static void test_guest_msi(void)
{
	start_bound();
	store(0, ID, true);
	store(4, ID << 24, true);
	store(8, ID, false);
	store(0, 0, false);
	store(0, 256, false);
	store(0, ~0UL, false);
}

static struct guest_context *last;

static void loads(struct guest_context *guest)
{
	last = guest;
	if (entries++)
		return interrupt(guest);
	guest->sepc = 0x1000;
	guest->gpr[15] = 77;
	access(guest, CAUSE_LOAD_GUEST_PAGE, GUEST_IMSIC(0) + offset);
}

static void load(u32 instruction, u64 at)
{
	entries = 0;
	offset = at;
	fake.instruction = instruction;
	check_equal(run(loads).error, 0);
}

static void test_guest_load(void)
{
	start_bound();
	load(LW_A5_A4, 0);
	check_equal(last->gpr[15], 0);
	check_equal(last->sepc, 0x1004);
	load(LD_A5_A4, 0);
	check_equal(last->vscause, CAUSE_LOAD_ACCESS);
	load(LW_A5_A4, 2);
	check_equal(last->vscause, CAUSE_LOAD_ACCESS);
	load(0, 0);
	check_equal(last->vscause, CAUSE_ILLEGAL);
	/* It is a store by now: once more. */
	load(SW_A5_A4, 0);
	check_equal(last->sepc, 0x1000);
	fake.fetch_fails = true;
	load(LW_A5_A4, 0);
	check_equal(last->sepc, 0x1000);
}

static void bad_access(struct guest_context *guest)
{
	access(guest, CAUSE_LOAD_GUEST_PAGE, GUEST_IMSIC(0));
	guest->htinst = 0x3000;
}

static void fetches(struct guest_context *guest)
{
	access(guest, CAUSE_FETCH_GUEST_PAGE, GUEST_IMSIC(0));
}

static void test_guest_end(void)
{
	start_bound();
	check_equal(run(bad_access).value, 1);
	check_empty(0);
	fake_boot();
	start_bound();
	check_equal(run(fetches).value, 1);
}

static void waits(struct guest_context *guest)
{
	if (entries++)
		return interrupt(guest);
	file_of(0)->delivery = 1;
	file_of(0)->enabled[0] = 1UL << ID;
	guest->vsie = SEIE;
	guest->scause = CAUSE_VIRTUAL;
	guest->stval = 0x10500073;
}

static void test_wait(void)
{
	start_bound();
	entries = 0;
	check_equal(run(waits).scause, CAUSE_VIRTUAL);
	/* The host wakes it by what it injects. */
	check_equal(inject(ID).error, 0);
	entries = 0;
	check_equal(run(waits).scause, CAUSE_INTERRUPT | 5);
}

/* hvip of the host is for machines without AIA. */
static void no_external(struct guest_context *guest)
{
	check_equal(guest->external, 0);
	interrupt(guest);
}

static void test_hvip(void)
{
	start_bound();
	test_nacl()->csr[(CSR_HVIP & 0xc00) >> 2 | (CSR_HVIP & 0xff)] =
		HVIP_VSEIP;
	check_equal(run(no_external).error, 0);
}

const struct test msi_tests[] = {
	{ "msi: inject", test_inject },
	{ "msi: host writes the file", test_host_writes_file },
	{ "msi: vCPU without a hart", test_without_hart },
	{ "msi: state moves", test_moves },
	{ "msi: to a running vCPU", test_live },
	{ "msi: rebind of a running vCPU", test_rebind_running },
	{ "msi: of the guest", test_guest_msi },
	{ "msi: loads", test_guest_load },
	{ "msi: ends of the guest", test_guest_end },
	{ "msi: WFI", test_wait },
	{ "msi: hvip", test_hvip },
	{ NULL, NULL },
};
