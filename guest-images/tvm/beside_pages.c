// SPDX-License-Identifier: BSD-2-Clause
#include "beside.h"
#include "csr.h"

#define PAGE		4096
#define PAGES		16
#define WORDS		(PAGE / sizeof(uint64_t))
#define WINDOW		0x40000000UL
#define MEGAPAGE	(1UL << 21)

/* Both worlds use this one: only the VMID keeps them apart. */
#define ASID		0x5aUL
#define SATP_SV39	(8UL << 60)
#define SATP_ASID_SHIFT	44

#define PTE_V		(1UL << 0)
#define PTE_RWX		(7UL << 1)
#define PTE_RW		(3UL << 1)
/* Accessed and dirty: no hart has to write to the table. */
#define PTE_AD		(3UL << 6)

static uint64_t root[WORDS] __attribute__((aligned(PAGE)));
static uint64_t image_table[WORDS] __attribute__((aligned(PAGE)));
static uint64_t window_table[WORDS] __attribute__((aligned(PAGE)));
static uint64_t leaf_table[WORDS] __attribute__((aligned(PAGE)));
static uint64_t memory[PAGES][WORDS] __attribute__((aligned(PAGE)));

static uint64_t page_seed;
/* How often each page, by its place in the window, was given new content */
static uint64_t generation[PAGES];

static uint64_t pte(const void *target, uint64_t flags)
{
	return (uintptr_t)target / PAGE << 10 | flags | PTE_V;
}

static unsigned int level_index(uint64_t address, unsigned int level)
{
	return address >> (12 + 9 * level) & (WORDS - 1);
}

/* Seed 0 to 15 in four bits: another order in another world. */
static unsigned int place(unsigned int page)
{
	return page ^ (mix(page_seed, 1, 1) & (PAGES - 1));
}

static void build_tables(void)
{
	uint64_t image = (uintptr_t)memory & ~(MEGAPAGE - 1);

	root[level_index(image, 2)] = pte(image_table, 0);
	image_table[level_index(image, 1)] = pte((void *)image,
						 PTE_RWX | PTE_AD);
	root[level_index(WINDOW, 2)] = pte(window_table, 0);
	window_table[level_index(WINDOW, 1)] = pte(leaf_table, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		leaf_table[i] = pte(memory[place(i)], PTE_RW | PTE_AD);
}

unsigned long pages_satp(void)
{
	return SATP_SV39 | ASID << SATP_ASID_SHIFT | (uintptr_t)root / PAGE;
}

static volatile uint64_t *window(unsigned int page)
{
	return (volatile uint64_t *)(WINDOW + page * PAGE);
}

static uint64_t content(unsigned int page, unsigned int word)
{
	return mix(page_seed, page << 16 | word, generation[page]);
}

static void write_page(unsigned int page)
{
	for (unsigned int word = 0; word < WORDS; word++)
		window(page)[word] = content(page, word);
}

void pages_begin(uint64_t seed)
{
	page_seed = seed;
	build_tables();
	/* The table must be in memory before the hart walks it. */
	asm volatile("sfence.vma" : : : "memory");
	csr_write("satp", pages_satp());
	asm volatile("sfence.vma" : : : "memory");
	for (unsigned int page = 0; page < PAGES; page++)
		write_page(page);
}

void pages_rewrite(unsigned long number)
{
	unsigned int page = number % PAGES;

	generation[page]++;
	write_page(page);
}

void pages_check(unsigned long step)
{
	for (unsigned int page = 0; page < PAGES; page++)
		for (unsigned long word = 0; word < WORDS; word += step)
			expect("memory", window(page)[word],
			       content(page, word));
	/* The same memory by its other address: the order is still ours. */
	for (unsigned int page = 0; page < PAGES; page++)
		expect("page order", memory[place(page)][0], content(page, 0));
}
