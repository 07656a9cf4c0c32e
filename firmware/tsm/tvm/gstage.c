// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sv48x4: four levels, the root of 16 KiB with 2048 entries, leaves of 4 KiB,
 * 2 MiB and 1 GiB. Tables are confidential pages of the TVM; entries point to
 * its own pages or to the host's that it shares. The hart may read an entry
 * while it is written, so each is written whole. What an entry allowed before
 * is gone with the TVM's fence (fence.c); what it newly allows needs none, as
 * a hart that still knows better faults and fences then.
 */
#include "tvm/tvm.h"
#include "trace/trace.h"

#define ROOT_LEVEL	3
#define PTE_V		(1UL << 0)
#define PTE_R		(1UL << 1)
#define PTE_W		(1UL << 2)
#define PTE_X		(1UL << 3)
/* At the G stage all accesses count as user accesses. */
#define PTE_U		(1UL << 4)
#define PTE_A		(1UL << 6)
#define PTE_D		(1UL << 7)
/* Left to software: a page of the host's */
#define PTE_SHARED	(1UL << 8)
/* A and D are set: the hart never has to write to a table. */
#define PTE_DATA	(PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_LEAF	(PTE_R | PTE_W | PTE_X)
#define PTE_PPN_SHIFT	10
#define PTE_PPN_MASK	((1UL << 44) - 1)

/*
 * A blocked leaf is not valid; the hart looks at no other bit then. It keeps
 * its page and PTE_SHARED, and the version of the TVM's fences at which it was
 * blocked, as much of it as there is room for.
 */
#define BLOCKED		(1UL << 9)
#define VERSION_LOW	0x7fUL
#define VERSION_LOW_AT	1
#define VERSION_HIGH_AT	54
#define VERSION_BITS	17

#define ENTRIES		512

_Static_assert(BLOCKED_VERSION_MASK == (1UL << VERSION_BITS) - 1,
	       "the version of a blocked leaf has room");

/* The entry for a GPA at the lowest level that has a table for it. */
struct place {
	u64 *entry;
	unsigned int level;
};

static u64 make_entry(u64 page, u64 flags)
{
	return page >> PAGE_SHIFT << PTE_PPN_SHIFT | flags;
}

static u64 entry_page(u64 entry)
{
	return (entry >> PTE_PPN_SHIFT & PTE_PPN_MASK) << PAGE_SHIFT;
}

static u64 read_entry(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

/* A new table or page is what it is to be before a hart can find it. */
static void write_entry(u64 *entry, u64 value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static bool is_table(u64 entry)
{
	return (entry & PTE_V) && !(entry & PTE_LEAF);
}

static unsigned int table_index(u64 gpa, unsigned int level)
{
	unsigned int mask = level == ROOT_LEVEL ? 0x7ff : ENTRIES - 1;

	return gpa >> (PAGE_SHIFT + 9 * level) & mask;
}

/* Down to a leaf, an empty entry, or the level that is asked for. */
static struct place walk_to(u64 root, u64 gpa, unsigned int lowest)
{
	struct place at = { .level = ROOT_LEVEL };
	u64 *table = phys_to_virt(root);
	u64 entry;

	for (;;) {
		at.entry = &table[table_index(gpa, at.level)];
		entry = read_entry(at.entry);
		if (at.level == lowest || !is_table(entry))
			return at;
		table = phys_to_virt(entry_page(entry));
		at.level--;
	}
}

static struct place walk(u64 root, u64 gpa)
{
	return walk_to(root, gpa, 0);
}

static u32 blocked_version(u64 entry)
{
	return (entry >> VERSION_LOW_AT & VERSION_LOW) |
	       entry >> VERSION_HIGH_AT << 7;
}

static u64 blocked_entry(u64 entry, u64 version)
{
	version &= BLOCKED_VERSION_MASK;
	return make_entry(entry_page(entry), entry & PTE_SHARED) | BLOCKED |
	       (version & VERSION_LOW) << VERSION_LOW_AT |
	       version >> 7 << VERSION_HIGH_AT;
}

/* Nothing is ever fetched from memory that the host can write. */
static u64 leaf_flags(bool shared)
{
	return shared ? PTE_DATA | PTE_SHARED : PTE_DATA | PTE_X;
}

struct leaf gstage_find(u64 root, u64 gpa)
{
	struct leaf leaf = { 0 };
	struct place at;
	u64 entry;

	if (gpa >= GSTAGE_END)
		return leaf;
	at = walk(root, gpa);
	entry = read_entry(at.entry);
	leaf.level = at.level;
	if (!entry)
		return leaf;
	leaf.state = entry & BLOCKED ? LEAF_BLOCKED : LEAF_MAPPED;
	leaf.shared = entry & PTE_SHARED;
	leaf.page = entry_page(entry) +
		    (gpa & (leaf_size(at.level) - 1) & ~(PAGE_SIZE - 1));
	leaf.version = blocked_version(entry);
	return leaf;
}

u64 gstage_lookup(u64 root, u64 gpa)
{
	struct leaf leaf = gstage_find(root, gpa);

	return leaf.state == LEAF_MAPPED ? leaf.page : 0;
}

bool gstage_is_free(u64 root, u64 gpa, unsigned int level)
{
	return !read_entry(walk_to(root, gpa, level).entry);
}

u64 gstage_next(u64 root, u64 gpa, u64 end, unsigned int *entries)
{
	struct place at;

	while (gpa < end && *entries) {
		at = walk(root, gpa);
		if (read_entry(at.entry))
			break;
		gpa = (gpa & ~(leaf_size(at.level) - 1)) + leaf_size(at.level);
		(*entries)--;
	}
	return min_u64(gpa, end);
}

u64 gstage_tables_missing(u64 root, u64 gpa, unsigned int level, bool counted)
{
	unsigned int at = walk(root, gpa).level;
	u64 missing = 0;

	/* A table that the leaf before needs too is counted with that leaf. */
	for (; at > level; at--)
		if (!counted || !(gpa & (leaf_size(at) - 1)))
			missing++;
	return missing;
}

u64 gstage_take_table(struct tvm *tvm)
{
	u64 page = tvm->free_tables;
	u64 *link;

	/* The caller counted; running dry is a mistake of ours. */
	if (!page)
		tsm_panic("tvm 0x%lx: out of counted page-table pages", tvm->id);
	link = phys_to_virt(page);
	tvm->free_tables = *link;
	tvm->free_table_count--;
	/* The rest of the page is zero since it was scrubbed. */
	*link = 0;
	return page;
}

void gstage_add_table(struct tvm *tvm, u64 page)
{
	*(u64 *)phys_to_virt(page) = tvm->free_tables;
	tvm->free_tables = page;
	tvm->free_table_count++;
}

void gstage_map(struct tvm *tvm, u64 gpa, u64 page, unsigned int level,
		bool shared)
{
	struct place at = walk_to(tvm->root, gpa, level);

	while (at.level > level) {
		write_entry(at.entry, make_entry(gstage_take_table(tvm), PTE_V));
		at = walk_to(tvm->root, gpa, level);
	}
	write_entry(at.entry, make_entry(page, leaf_flags(shared)));
}

void gstage_unmap(u64 root, u64 gpa)
{
	write_entry(walk(root, gpa).entry, 0);
}

void gstage_block(u64 root, u64 gpa, u64 version)
{
	u64 *entry = walk(root, gpa).entry;

	write_entry(entry, blocked_entry(*entry, version));
}

void gstage_unblock(u64 root, u64 gpa)
{
	u64 *entry = walk(root, gpa).entry;

	write_entry(entry, make_entry(entry_page(*entry),
				      leaf_flags(*entry & PTE_SHARED)));
}

bool gstage_demote(struct tvm *tvm, u64 gpa, unsigned int level)
{
	struct place at = walk(tvm->root, gpa);
	bool shared = *at.entry & PTE_SHARED;
	u64 page = entry_page(*at.entry);
	u64 table, *entry;
	unsigned int i;

	if (!tvm->free_table_count)
		return false;
	table = gstage_take_table(tvm);
	entry = phys_to_virt(table);
	for (i = 0; i < ENTRIES; i++)
		entry[i] = make_entry(page + i * leaf_size(level),
				      leaf_flags(shared));
	write_entry(at.entry, make_entry(table, PTE_V));
	return true;
}

void gstage_promote(struct tvm *tvm, u64 gpa, unsigned int level)
{
	struct place at = walk_to(tvm->root, gpa, level);
	u64 table = entry_page(*at.entry);
	u64 *entry = phys_to_virt(table);
	bool shared = entry[0] & PTE_SHARED;
	u64 page = entry_page(entry[0]);

	write_entry(at.entry, make_entry(page, leaf_flags(shared)));
	pages_scrub(table, 1);
	gstage_add_table(tvm, table);
}
