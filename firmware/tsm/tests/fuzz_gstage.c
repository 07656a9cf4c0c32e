// SPDX-License-Identifier: BSD-2-Clause
/*
 * libFuzzer on the G-stage tables, against a list of leaves and a list of
 * tables. Operations that the callers rule out (call/) are not tried: mapping
 * where something is, promoting what is not one whole.
 */
#include "tests/fuzz.h"

#define ROOT		POOL_BASE
#define ENTRIES		512U
#define MAX_LEAVES	4096U
#define MAX_TABLES	48U
#define FIRST_TABLE	(POOL_BASE + 16 * PAGE_SIZE)

static struct model_leaf {
	u64 gpa;
	u64 page;
	unsigned int level;
	bool shared;
	bool blocked;
	u32 version;
} leaves[MAX_LEAVES];
static u32 leaf_count;

/* Tables below the root: those of level n hold leaves of level n. */
static struct {
	u64 gpa;
	unsigned int level;
} tables[MAX_TABLES];
static u32 table_count;

static struct tvm tvm;
static u32 tables_given;

static u64 base_of(u64 gpa, unsigned int level)
{
	return gpa & ~(leaf_size(level) - 1);
}

static struct model_leaf *leaf_at(u64 gpa)
{
	u32 i;

	for (i = 0; i < leaf_count; i++)
		if (base_of(gpa, leaves[i].level) == leaves[i].gpa)
			return &leaves[i];
	return NULL;
}

static bool has_table(u64 gpa, unsigned int level)
{
	u32 i;

	for (i = 0; i < table_count; i++)
		if (tables[i].level == level &&
		    tables[i].gpa == base_of(gpa, level + 1))
			return true;
	return false;
}

static void add_table(u64 gpa, unsigned int level)
{
	tables[table_count].gpa = base_of(gpa, level + 1);
	tables[table_count++].level = level;
}

static void drop_table(u64 gpa, unsigned int level)
{
	u32 i;

	for (i = 0; tables[i].level != level || tables[i].gpa != gpa; i++)
		;
	tables[i] = tables[--table_count];
}

static void add_leaf(struct model_leaf leaf)
{
	leaves[leaf_count++] = leaf;
}

/* No leaf covers it, and no table takes its entry. */
static bool is_free(u64 gpa, unsigned int level)
{
	return !leaf_at(gpa) && (!level || !has_table(gpa, level - 1));
}

static void check_at(u64 gpa)
{
	const struct model_leaf *wanted = leaf_at(gpa);
	struct leaf found = gstage_find(ROOT, gpa);
	u64 offset;

	if (!wanted) {
		check_equal(found.state, LEAF_NONE);
		return;
	}
	offset = base_of(gpa, 0) - wanted->gpa;
	check_equal(found.state, wanted->blocked ? LEAF_BLOCKED : LEAF_MAPPED);
	check_equal(found.level, wanted->level);
	check_equal(found.shared, wanted->shared);
	check_equal(found.page, wanted->page + offset);
	if (wanted->blocked)
		check_equal(found.version, wanted->version);
	check_equal(gstage_lookup(ROOT, gpa),
		    wanted->blocked ? 0 : wanted->page + offset);
}

static void map(u64 gpa, unsigned int level, u64 page, bool shared)
{
	u64 missing = 0, had = tvm.free_table_count;
	unsigned int at;

	gpa = base_of(gpa, level);
	check_equal(gstage_is_free(ROOT, gpa, level), is_free(gpa, level));
	if (!is_free(gpa, level) || leaf_count == MAX_LEAVES)
		return;
	for (at = level; at < GSTAGE_LEVELS; at++)
		missing += !has_table(gpa, at);
	check_equal(gstage_tables_missing(ROOT, gpa, level, false), missing);
	if (missing > had)
		return;
	gstage_map(&tvm, gpa, base_of(page, level), level, shared);
	check_equal(tvm.free_table_count, had - missing);
	for (at = level; at < GSTAGE_LEVELS; at++)
		if (!has_table(gpa, at))
			add_table(gpa, at);
	add_leaf((struct model_leaf){ .gpa = gpa, .page = base_of(page, level),
				      .level = level, .shared = shared });
}

static void unmap(struct model_leaf *leaf)
{
	gstage_unmap(ROOT, leaf->gpa);
	*leaf = leaves[--leaf_count];
}

static void block(struct model_leaf *leaf, u32 version)
{
	if (leaf->blocked) {
		gstage_unblock(ROOT, leaf->gpa);
		leaf->blocked = false;
		return;
	}
	gstage_block(ROOT, leaf->gpa, version);
	leaf->blocked = true;
	leaf->version = version & BLOCKED_VERSION_MASK;
}

static void demote(struct model_leaf *leaf)
{
	struct model_leaf whole = *leaf, part = whole;
	bool possible = tvm.free_table_count;
	u32 i;

	if (!whole.level || !whole.blocked || leaf_count + ENTRIES > MAX_LEAVES)
		return;
	part.level--;
	part.blocked = false;
	check_equal(gstage_demote(&tvm, whole.gpa, part.level), possible);
	if (!possible)
		return;
	*leaf = leaves[--leaf_count];
	add_table(whole.gpa, part.level);
	for (i = 0; i < ENTRIES; i++) {
		part.gpa = whole.gpa + i * leaf_size(part.level);
		part.page = whole.page + i * leaf_size(part.level);
		add_leaf(part);
	}
}

/* All leaves of the table around this one, blocked first: one whole again. */
static void promote(const struct model_leaf *leaf, u32 version)
{
	unsigned int level = leaf->level;
	u64 gpa = base_of(leaf->gpa, level + 1);
	u64 had = tvm.free_table_count;
	struct model_leaf *first = leaf_at(gpa), whole, *part;
	u32 i;

	if (level + 1 == GSTAGE_LEVELS || !first || first->level != level ||
	    first->page != base_of(first->page, level + 1))
		return;
	whole = *first;
	for (i = 0; i < ENTRIES; i++) {
		part = leaf_at(gpa + i * leaf_size(level));
		if (!part || part->level != level ||
		    part->shared != whole.shared ||
		    part->page != whole.page + i * leaf_size(level))
			return;
		if (!part->blocked)
			block(part, version);
	}
	gstage_promote(&tvm, gpa, level + 1);
	check_equal(tvm.free_table_count, had + 1);
	for (i = 0; i < leaf_count;)
		if (base_of(leaves[i].gpa, level + 1) == gpa)
			leaves[i] = leaves[--leaf_count];
		else
			i++;
	drop_table(gpa, level);
	whole.level++;
	whole.blocked = false;
	add_leaf(whole);
}

static void give_table(void)
{
	/* The pages are zero: they were scrubbed. */
	if (tables_given < MAX_TABLES)
		gstage_add_table(&tvm, FIRST_TABLE + tables_given++ * PAGE_SIZE);
}

/* Few places, at the ends and in the middle of every level's tables */
static u64 any_gpa(struct fuzz_input *input)
{
	static const u64 index[] = { 0, 1, 255, 511 };
	static const u64 root[] = { 0, 1, 2047 };
	unsigned int low = fuzz_byte(input, 64);

	return root[fuzz_byte(input, 3)] << 39 | index[low >> 4] << 30 |
	       index[low >> 2 & 3] << 21 | index[low & 3] << 12;
}

static void on_a_leaf(struct fuzz_input *input, unsigned int what)
{
	struct model_leaf *leaf;

	if (!leaf_count)
		return;
	leaf = &leaves[(fuzz_byte(input, 256) << 8 | fuzz_byte(input, 256)) %
		       leaf_count];
	switch (what) {
	case 0:
		unmap(leaf);
		break;
	case 1:
		demote(leaf);
		break;
	case 2:
		promote(leaf, fuzz_word(input));
		break;
	default:
		block(leaf, fuzz_word(input));
	}
}

static void any_operation(struct fuzz_input *input)
{
	unsigned int what = fuzz_byte(input, 10);
	u64 gpa = any_gpa(input);
	unsigned int level = fuzz_byte(input, GSTAGE_LEVELS);

	if (what < 5)
		on_a_leaf(input, what);
	else if (what < 6)
		give_table();
	else
		map(gpa, level, fuzz_word(input) % GSTAGE_END, what == 9);
	check_at(gpa);
	check_at(gpa ^ PAGE_SIZE);
	check_at(gpa ^ leaf_size(1));
}

/* The search finds every leaf, in order, and nothing else. */
static void check_all(void)
{
	unsigned int entries = ~0U;
	u64 gpa = 0;
	u32 found = 0;

	for (;;) {
		gpa = gstage_next(ROOT, gpa, GSTAGE_END, &entries);
		if (gpa >= GSTAGE_END)
			break;
		check_true(leaf_at(gpa) && leaf_at(gpa)->gpa == gpa);
		check_at(gpa);
		gpa += leaf_size(leaf_at(gpa)->level);
		found++;
	}
	check_equal(found, leaf_count);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input input = fuzz_begin(data, size);

	fake_boot();
	memset(&tvm, 0, sizeof(tvm));
	tvm.root = ROOT;
	leaf_count = table_count = tables_given = 0;
	while (tables_given < MAX_TABLES / 4)
		give_table();
	while (fuzz_more(&input))
		any_operation(&input);
	check_all();
	check_equal(tvm.free_table_count + table_count, tables_given);
	return 0;
}
