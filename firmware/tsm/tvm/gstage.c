// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sv48x4: four levels, the root of 16 KiB with 2048 entries, 4 KiB leaves.
 * Tables are confidential pages of the TVM; entries only ever point to pages
 * of the same TVM. Entries are added while no vCPU runs on them, and every
 * hart fences when it loads the TVM, so no fence is needed here.
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
/* A and D are set: the hart never has to write to a table. */
#define PTE_LEAF	(PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D)
#define PTE_PPN_SHIFT	10

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
	return entry >> PTE_PPN_SHIFT << PAGE_SHIFT;
}

static unsigned int table_index(u64 gpa, unsigned int level)
{
	unsigned int mask = level == ROOT_LEVEL ? 0x7ff : 0x1ff;

	return gpa >> (PAGE_SHIFT + 9 * level) & mask;
}

static struct place walk(u64 root, u64 gpa)
{
	struct place at = { .level = ROOT_LEVEL };
	u64 *table = phys_to_virt(root);

	for (;;) {
		at.entry = &table[table_index(gpa, at.level)];
		if (!at.level || !(*at.entry & PTE_V))
			return at;
		table = phys_to_virt(entry_page(*at.entry));
		at.level--;
	}
}

u64 gstage_lookup(u64 root, u64 gpa)
{
	struct place at;

	if (gpa >= GSTAGE_END)
		return 0;
	at = walk(root, gpa);
	return *at.entry & PTE_V ? entry_page(*at.entry) : 0;
}

u64 gstage_tables_missing(u64 root, u64 gpa, bool counted)
{
	unsigned int level = walk(root, gpa).level;
	u64 span = PAGE_SIZE << 9;
	u64 missing = 0;

	/* A table that the page before needs too is counted with that page. */
	for (; level > 0; level--, span <<= 9)
		if (!counted || !(gpa & (span - 1)))
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

void gstage_map(struct tvm *tvm, u64 gpa, u64 page)
{
	struct place at = walk(tvm->root, gpa);

	while (at.level > 0) {
		*at.entry = make_entry(gstage_take_table(tvm), PTE_V);
		at = walk(tvm->root, gpa);
	}
	*at.entry = make_entry(page, PTE_LEAF);
}

void gstage_unmap(u64 root, u64 gpa)
{
	*walk(root, gpa).entry = 0;
}
