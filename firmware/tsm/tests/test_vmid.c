// SPDX-License-Identifier: BSD-2-Clause
/*
 * VMIDs that others use too: guests of the host's own, and TVMs before. The
 * fake hart keeps what it has cached for a VMID until it is fenced, as a hart
 * may, which the emulator does not.
 */
#include "tests/run.h"

#define FIRST_VMID	1

static u64 cached(unsigned int hart, u16 vmid)
{
	return fake.cached[hart][vmid];
}

/* The host runs a guest of its own, under the TVM's VMID, on all harts. */
static void host_guest_runs(u16 vmid)
{
	unsigned int i;

	for (i = 0; i < fake_info.hart_count; i++)
		fake.cached[i][vmid] = FAKE_HOST_ROOT;
}

static void nothing_is_left(u16 vmid)
{
	unsigned int i;

	for (i = 0; i < fake_info.hart_count; i++)
		check_equal(cached(i, vmid), 0);
}

static void fences_stand_where_they_count(void)
{
	const enum fake_step wanted[] = {
		FAKE_LOAD, FAKE_FENCE, FAKE_ENTRY, FAKE_FENCE, FAKE_PUT,
	};
	unsigned int i;

	tvm = start_tvm();
	check_equal(run(interrupt).error, 0);
	check_equal(fake.steps, ARRAY_SIZE(wanted));
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		check_equal(fake.step[i], wanted[i]);
}

static void host_guest_of_the_same_vmid(void)
{
	unsigned int i;

	tvm = start_tvm();
	for (i = 0; i < 3; i++) {
		host_guest_runs(FIRST_VMID);
		check_equal(run(interrupt).error, 0);
		check_equal(cached(0, FIRST_VMID), 0);
	}
	/* The other hart ran no TVM: what it has is the host's own affair. */
	check_equal(cached(1, FIRST_VMID), FAKE_HOST_ROOT);
}

static void other_vmids_are_left_alone(void)
{
	tvm = start_tvm();
	host_guest_runs(FIRST_VMID + 1);
	check_equal(run(interrupt).error, 0);
	check_equal(cached(0, FIRST_VMID + 1), FAKE_HOST_ROOT);
}

static void every_hart_that_ran_it_is_clean(void)
{
	tvm = start_tvm();
	for (fake.hart = 0; fake.hart < fake_info.hart_count; fake.hart++)
		check_equal(run(interrupt).error, 0);
	fake.hart = 0;
	nothing_is_left(FIRST_VMID);
}

/* The id is new, the VMID is the old one: the slot was free again. */
static void vmid_is_used_again(void)
{
	u64 before;

	before = tvm = start_tvm();
	fake.hart = 1;
	check_equal(run(interrupt).error, 0);
	fake.hart = 0;
	check_equal(covh(DESTROY_TVM, tvm).error, 0);
	nothing_is_left(FIRST_VMID);
	check_equal(covh(RECLAIM_PAGES, POOL_BASE, BUILD_PAGES).error, 0);
	host_guest_runs(FIRST_VMID);
	tvm = start_tvm();
	check_true(tvm != before);
	fake.hart = 1;
	check_equal(run(interrupt).error, 0);
	check_equal(fake.space.vmid, FIRST_VMID);
	check_equal(cached(1, FIRST_VMID), 0);
}

const struct test vmid_tests[] = {
	{ "vmid: order of fences", fences_stand_where_they_count },
	{ "vmid: guest of the host's own", host_guest_of_the_same_vmid },
	{ "vmid: other VMIDs", other_vmids_are_left_alone },
	{ "vmid: all harts", every_hart_that_ran_it_is_clean },
	{ "vmid: used again", vmid_is_used_again },
	{ NULL, NULL },
};
