// SPDX-License-Identifier: BSD-2-Clause
/*
 * libFuzzer on the regions of a TVM, against a picture of its memory in which
 * every page has a kind of its own.
 */
#include "tests/fuzz.h"

#define PAGES	240U
#define BASE	0x80000000UL
/* MMIO regions stay apart, so that each has a number of its own. */
#define MMIO	16

/* REGION_*, or MMIO + the region's number */
static u32 picture[PAGES];
static u32 mmio_regions;

static enum region_kind kind_of(u32 mark)
{
	return mark >= MMIO ? REGION_MMIO : (enum region_kind)mark;
}

static bool all(u32 page, u32 count, enum region_kind kind)
{
	u32 i;

	for (i = page; i < page + count; i++)
		if (kind_of(picture[i]) != kind)
			return false;
	return true;
}

static void paint(u32 page, u32 count, u32 mark)
{
	while (count--)
		picture[page++] = mark;
}

static u32 regions_in_picture(void)
{
	u32 found = 0, i;

	for (i = 0; i < PAGES; i++)
		found += picture[i] && (!i || picture[i] != picture[i - 1]);
	return found;
}

static void check_table(const struct tvm *tvm)
{
	u32 i;

	check_equal(tvm->region_count, regions_in_picture());
	for (i = 0; i < PAGES; i++)
		check_equal(tvm_region_kind(tvm, BASE + i * PAGE_SIZE + 5),
			    kind_of(picture[i]));
	check_equal(tvm_region_kind(tvm, BASE - 1), REGION_NONE);
	check_equal(tvm_region_kind(tvm, BASE + PAGES * PAGE_SIZE), REGION_NONE);
	for (i = 1; i < tvm->region_count; i++)
		check_true(tvm->region[i - 1].base + tvm->region[i - 1].size <=
			   tvm->region[i].base);
}

static void add(struct tvm *tvm, u32 page, u32 count, enum region_kind kind)
{
	u32 mark = kind == REGION_MMIO ? MMIO + mmio_regions++ : kind;
	s64 wanted = COVE_SUCCESS;

	if (!all(page, count, REGION_NONE))
		wanted = COVE_ERR_INVALID_ADDRESS;
	else if (regions_in_picture() == TVM_MAX_REGIONS)
		wanted = COVE_ERR_FAILED;
	check_equal(tvm_add_region(tvm, BASE + page * PAGE_SIZE,
				   count * PAGE_SIZE, kind), wanted);
	if (!wanted)
		paint(page, count, mark);
}

static void change(struct tvm *tvm, u32 page, u32 count,
		   enum region_kind from, enum region_kind to)
{
	s64 wanted = COVE_SUCCESS;

	if (!all(page, count, from))
		wanted = COVE_ERR_INVALID_PARAM;
	else if (regions_in_picture() + 2 > TVM_MAX_REGIONS)
		wanted = COVE_ERR_FAILED;
	check_equal(tvm_change_region(tvm, BASE + page * PAGE_SIZE,
				      count * PAGE_SIZE, from, to), wanted);
	if (!wanted)
		paint(page, count, to);
}

static void drop(struct tvm *tvm, u32 page, u32 count)
{
	s64 wanted = COVE_ERR_INVALID_ADDRESS;
	u32 i, j, mark;

	for (i = page; i < page + count; i++) {
		mark = picture[i];
		if (mark < MMIO)
			continue;
		wanted = COVE_SUCCESS;
		for (j = 0; j < PAGES; j++)
			if (picture[j] == mark)
				picture[j] = REGION_NONE;
	}
	check_equal(tvm_drop_mmio(tvm, BASE + page * PAGE_SIZE,
				  count * PAGE_SIZE), wanted);
}

static void any_operation(struct tvm *tvm, struct fuzz_input *input)
{
	/* Only what has no region of its own each can change its kind. */
	static const enum region_kind kinds[] = {
		REGION_CONFIDENTIAL, REGION_SHARING, REGION_SHARED,
		REGION_UNSHARING, REGION_MMIO, REGION_IMSIC,
	};
	unsigned int what = fuzz_byte(input, 8);
	u32 page = fuzz_byte(input, PAGES);
	u32 count = 1 + fuzz_byte(input, 32);
	enum region_kind kind = kinds[fuzz_byte(input, ARRAY_SIZE(kinds))];

	if (count > PAGES - page)
		count = PAGES - page;
	switch (what) {
	case 0:
		drop(tvm, page, count);
		break;
	case 1:
	case 2:
		if (kind != REGION_MMIO)
			change(tvm, page, count, kind,
			       kinds[fuzz_byte(input, 4)]);
		break;
	case 3:
		check_equal(tvm_covers(tvm, BASE + page * PAGE_SIZE,
				       count * PAGE_SIZE, kind),
			    all(page, count, kind));
		break;
	case 4:
		/* Pages with gaps between them fill the table. */
		for (; count-- && page < PAGES; page += 2)
			add(tvm, page, 1, kind);
		break;
	default:
		add(tvm, page, count, kind);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input input = fuzz_begin(data, size);
	static struct tvm tvm;

	memset(&tvm, 0, sizeof(tvm));
	memset(picture, 0, sizeof(picture));
	mmio_regions = 0;
	while (fuzz_more(&input)) {
		any_operation(&tvm, &input);
		/* The whole table now and then: that takes most of the time. */
		if (input.left % 16 == 0)
			check_table(&tvm);
		check_equal(tvm.region_count, regions_in_picture());
	}
	return 0;
}
