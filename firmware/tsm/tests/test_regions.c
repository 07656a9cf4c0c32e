// SPDX-License-Identifier: BSD-2-Clause
/* Regions of guest-physical memory. */
#include "tests/test.h"

#define AT(n)	(0x100000UL + (n) * PAGE_SIZE)
#define ADDRESS	COVE_ERR_INVALID_ADDRESS
#define PARAM	COVE_ERR_INVALID_PARAM

static struct tvm object;

static s64 add(u64 first, u64 pages, enum region_kind kind)
{
	return tvm_add_region(&object, AT(first), pages * PAGE_SIZE, kind);
}

static s64 change(u64 first, u64 pages, enum region_kind from,
		  enum region_kind to)
{
	return tvm_change_region(&object, AT(first), pages * PAGE_SIZE, from,
				 to);
}

static void regions_do_not_meet(void)
{
	memset(&object, 0, sizeof(object));
	check_equal(add(4, 4, REGION_CONFIDENTIAL), 0);
	check_equal(add(7, 1, REGION_MMIO), ADDRESS);
	check_equal(add(4, 1, REGION_MMIO), ADDRESS);
	check_equal(add(3, 2, REGION_MMIO), ADDRESS);
	check_equal(add(0, 20, REGION_MMIO), ADDRESS);
	/* Right behind and right before. */
	check_equal(add(8, 1, REGION_MMIO), 0);
	check_equal(add(3, 1, REGION_MMIO), 0);
	check_equal(object.region_count, 3);
	check_equal(tvm_region_kind(&object, AT(3) - 1), REGION_NONE);
	check_equal(tvm_region_kind(&object, AT(4) - 1), REGION_MMIO);
	check_equal(tvm_region_kind(&object, AT(4)), REGION_CONFIDENTIAL);
	check_equal(tvm_region_kind(&object, AT(8) - 1), REGION_CONFIDENTIAL);
	check_equal(tvm_region_kind(&object, AT(9)), REGION_NONE);
}

static void neighbours_become_one(void)
{
	memset(&object, 0, sizeof(object));
	check_equal(add(0, 1, REGION_CONFIDENTIAL), 0);
	check_equal(add(2, 1, REGION_CONFIDENTIAL), 0);
	check_equal(object.region_count, 2);
	check_true(!tvm_covers(&object, AT(0), 3 * PAGE_SIZE,
			       REGION_CONFIDENTIAL));
	check_equal(add(1, 1, REGION_CONFIDENTIAL), 0);
	check_equal(object.region_count, 1);
	check_true(tvm_covers(&object, AT(0), 3 * PAGE_SIZE,
			      REGION_CONFIDENTIAL));
	check_true(!tvm_covers(&object, AT(0), 3 * PAGE_SIZE + 1,
			       REGION_CONFIDENTIAL));
	check_equal(add(3, 1, REGION_MMIO), 0);
	check_equal(add(4, 1, REGION_MMIO), 0);
	check_equal(object.region_count, 3);
}

static void a_part_changes_its_kind(void)
{
	memset(&object, 0, sizeof(object));
	check_equal(add(0, 8, REGION_CONFIDENTIAL), 0);
	check_equal(change(2, 3, REGION_CONFIDENTIAL, REGION_SHARING), 0);
	check_equal(object.region_count, 3);
	check_equal(tvm_region_kind(&object, AT(2) - 1), REGION_CONFIDENTIAL);
	check_equal(tvm_region_kind(&object, AT(2)), REGION_SHARING);
	check_equal(tvm_region_kind(&object, AT(5) - 1), REGION_SHARING);
	check_equal(tvm_region_kind(&object, AT(5)), REGION_CONFIDENTIAL);
	check_equal(change(4, 2, REGION_CONFIDENTIAL, REGION_SHARING), PARAM);
	check_equal(change(7, 2, REGION_CONFIDENTIAL, REGION_SHARING), PARAM);
	check_equal(change(2, 3, REGION_SHARING, REGION_SHARED), 0);
	check_equal(change(2, 3, REGION_SHARED, REGION_CONFIDENTIAL), 0);
	check_equal(object.region_count, 1);
	check_true(tvm_covers(&object, AT(0), 8 * PAGE_SIZE,
			      REGION_CONFIDENTIAL));
}

static void mmio_regions_go_one_by_one(void)
{
	memset(&object, 0, sizeof(object));
	check_equal(add(0, 1, REGION_CONFIDENTIAL), 0);
	check_equal(add(1, 2, REGION_MMIO), 0);
	check_equal(add(3, 2, REGION_MMIO), 0);
	check_equal(tvm_drop_mmio(&object, AT(0), PAGE_SIZE), ADDRESS);
	check_equal(tvm_drop_mmio(&object, AT(4), PAGE_SIZE), 0);
	check_equal(tvm_region_kind(&object, AT(3)), REGION_NONE);
	check_equal(tvm_region_kind(&object, AT(2)), REGION_MMIO);
	check_equal(tvm_drop_mmio(&object, AT(0), 9 * PAGE_SIZE), 0);
	check_equal(object.region_count, 1);
}

static void the_table_is_never_overrun(void)
{
	unsigned int i;

	memset(&object, 0, sizeof(object));
	for (i = 0; i < TVM_MAX_REGIONS; i++)
		check_equal(add(i * 4, 3, REGION_CONFIDENTIAL), 0);
	check_equal(add(i * 4, 3, REGION_CONFIDENTIAL), COVE_ERR_FAILED);
	check_equal(change(1, 1, REGION_CONFIDENTIAL, REGION_SHARING),
		    COVE_ERR_FAILED);
	check_equal(object.region_count, TVM_MAX_REGIONS);
	object.region_count -= 2;
	check_equal(change(1, 1, REGION_CONFIDENTIAL, REGION_SHARING), 0);
	check_equal(object.region_count, TVM_MAX_REGIONS);
}

const struct test region_tests[] = {
	{ "regions do not meet", regions_do_not_meet },
	{ "regions: neighbours become one", neighbours_become_one },
	{ "regions: a part changes", a_part_changes_its_kind },
	{ "regions: MMIO goes one by one", mmio_regions_go_one_by_one },
	{ "regions: the table is not overrun", the_table_is_never_overrun },
	{ NULL, NULL },
};
