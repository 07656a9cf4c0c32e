/* SPDX-License-Identifier: BSD-2-Clause */
/* What the TSM does with the bytes of a page, by the functions it does it with. */
#include "crypto/crypto.h"

void page_copy(void *to, const void *from);
void page_hash(const void *page);
void page_zero(void *page);
void page_zero_blocks(void *page, uint64_t block);
void tsm_panic(const char *text, ...);

void page_copy(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
}

/* The input of a measurement: register, address and page */
void page_hash(const void *page)
{
	static u8 digest[DIGEST_SIZE];
	static u64 gpa;
	const struct piece pieces[] = {
		{ digest, DIGEST_SIZE },
		{ &gpa, sizeof(gpa) },
		{ page, PAGE_SIZE },
	};

	sha384(digest, pieces, ARRAY_SIZE(pieces));
}

void page_zero(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

void page_zero_blocks(void *page, uint64_t block)
{
	u8 *at = page;
	const u8 *end = at + PAGE_SIZE;

	for (; at < end; at += block)
		__asm__ volatile(".insn i 0x0f, 2, x0, %0, 4" : : "r"(at)
				 : "memory");
}

/* Only for arguments that are wrong, which sha384() never passes. */
void tsm_panic(const char *text, ...)
{
	(void)text;
	for (;;)
		;
}
