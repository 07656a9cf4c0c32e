// SPDX-License-Identifier: BSD-2-Clause
/* Sv48x4 tables. */
#include "tests/test.h"

#define ROOT	POOL_BASE

static struct tvm *empty_tvm(u64 tables)
{
	static struct tvm tvm;
	u64 i;

	memset(&tvm, 0, sizeof(tvm));
	tvm.root = ROOT;
	for (i = 0; i < tables; i++)
		gstage_add_table(&tvm, POOL_BASE + (i + 8) * PAGE_SIZE);
	return &tvm;
}

static void mapping_is_found_again(void)
{
	struct tvm *tvm = empty_tvm(3);

	check_equal(gstage_lookup(ROOT, GUEST_BASE), 0);
	gstage_map(tvm, GUEST_BASE, AT_DATA, 0, false);
	check_equal(tvm->free_table_count, 0);
	check_equal(gstage_lookup(ROOT, GUEST_BASE), AT_DATA);
	check_equal(gstage_lookup(ROOT, GUEST_BASE + PAGE_SIZE), 0);
	gstage_map(tvm, GUEST_BASE + PAGE_SIZE, AT_DATA + PAGE_SIZE, 0, false);
	check_equal(gstage_lookup(ROOT, GUEST_BASE + PAGE_SIZE),
		    AT_DATA + PAGE_SIZE);
	gstage_unmap(ROOT, GUEST_BASE);
	check_equal(gstage_lookup(ROOT, GUEST_BASE), 0);
}

/* What hardware reads: V RWX U A D and the page number. */
static void leaf_is_what_the_hart_expects(void)
{
	struct tvm *tvm = empty_tvm(3);
	u64 *root = phys_to_virt(ROOT);
	u64 *table;
	u64 gpa = 5UL << 39 | 3UL << 30 | 7UL << 21 | 9UL << 12;
	unsigned int i;
	const unsigned int index[] = { 3, 7, 9 };

	gstage_map(tvm, gpa, AT_DATA, 0, false);
	check_equal(root[5] & 0x3ff, 1);
	table = phys_to_virt(root[5] >> 10 << 12);
	for (i = 0; i < 2; i++) {
		check_equal(table[index[i]] & 0x3ff, 1);
		table = phys_to_virt(table[index[i]] >> 10 << 12);
	}
	check_equal(table[9], AT_DATA >> 12 << 10 | 0xdf);
}

/* The host's pages can be read and written, and nothing is fetched from them. */
static void shared_leaf_is_not_executable(void)
{
	struct tvm *tvm = empty_tvm(3);
	u64 *table = phys_to_virt(ROOT);
	unsigned int i;
	const unsigned int index[] = { 0, 2, 1 };

	gstage_map(tvm, GUEST_BASE, HOST_BASE, 0, true);
	for (i = 0; i < ARRAY_SIZE(index); i++)
		table = phys_to_virt(table[index[i]] >> 10 << 12);
	check_equal(table[0], HOST_BASE >> 12 << 10 | 0x1d7);
}

static void root_has_eleven_bits(void)
{
	struct tvm *tvm = empty_tvm(3);
	u64 *root = phys_to_virt(ROOT);

	gstage_map(tvm, GSTAGE_END - PAGE_SIZE, AT_DATA, 0, false);
	check_true(root[2047] != 0);
	check_equal(gstage_lookup(ROOT, GSTAGE_END - PAGE_SIZE), AT_DATA);
	check_equal(gstage_lookup(ROOT, GSTAGE_END), 0);
	check_equal(gstage_lookup(ROOT, ~0xfffUL), 0);
}

static void tables_are_counted(void)
{
	struct tvm *tvm = empty_tvm(8);

	check_equal(gstage_tables_missing(ROOT, GUEST_BASE, 0, false), 3);
	check_equal(gstage_tables_missing(ROOT, GUEST_BASE + PAGE_SIZE, 0, true),
		    0);
	/* The first page of the next 2 MiB, 1 GiB, 512 GiB */
	check_equal(gstage_tables_missing(ROOT, 0x80400000, 0, true), 1);
	check_equal(gstage_tables_missing(ROOT, 0xc0000000, 0, true), 2);
	check_equal(gstage_tables_missing(ROOT, 1UL << 39, 0, true), 3);
	gstage_map(tvm, GUEST_BASE, AT_DATA, 0, false);
	check_equal(gstage_tables_missing(ROOT, GUEST_BASE + PAGE_SIZE, 0, false),
		    0);
	check_equal(gstage_tables_missing(ROOT, 0x80400000, 0, false), 1);
	check_equal(gstage_tables_missing(ROOT, 0xc0000000, 0, false), 2);
	check_equal(gstage_tables_missing(ROOT, 1UL << 39, 0, false), 3);
}

static void tables_are_zero_when_used(void)
{
	struct tvm *tvm = empty_tvm(3);
	u64 *table;
	u64 page;

	for (page = 10; page >= 8; page--) {
		check_equal(gstage_take_table(tvm),
			    POOL_BASE + page * PAGE_SIZE);
		table = phys_to_virt(POOL_BASE + page * PAGE_SIZE);
		check_equal(table[0], 0);
	}
	check_equal(tvm->free_table_count, 0);
	check_equal(tvm->free_tables, 0);
}

const struct test gstage_tests[] = {
	{ "gstage mapping is found", mapping_is_found_again },
	{ "gstage leaf format", leaf_is_what_the_hart_expects },
	{ "gstage shared leaf", shared_leaf_is_not_executable },
	{ "gstage root has 11 bits", root_has_eleven_bits },
	{ "gstage tables are counted", tables_are_counted },
	{ "gstage tables are zero", tables_are_zero_when_used },
	{ NULL, NULL },
};
