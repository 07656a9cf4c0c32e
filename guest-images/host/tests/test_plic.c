// SPDX-License-Identifier: BSD-2-Clause
#include "driver.h"

#define ENABLE		0x2000
#define THRESHOLD	0x200000
#define CLAIM		0x200004

void test_plic(void)
{
	struct plic plic = { .level = 1 << 3 | 1 << 5 };

	CHECK(!plic_interrupt(&plic));
	CHECK(plic_load(&plic, 0x1000) == (1 << 3 | 1 << 5));
	plic_store(&plic, ENABLE, ~0U);
	/* Bit 0 is no source. */
	CHECK(plic_load(&plic, ENABLE) == ~1U);
	CHECK(!plic_interrupt(&plic));
	plic_store(&plic, 4 * 3, 1);
	plic_store(&plic, 4 * 5, 2);
	CHECK(plic_interrupt(&plic));
	plic_store(&plic, THRESHOLD, 2);
	CHECK(!plic_interrupt(&plic));
	plic_store(&plic, THRESHOLD, 0);
	/* By priority; a source that is claimed is not signalled again. */
	CHECK(plic_load(&plic, CLAIM) == 5);
	CHECK(plic_load(&plic, CLAIM) == 3);
	CHECK(plic_load(&plic, CLAIM) == 0);
	CHECK(!plic_interrupt(&plic));
	plic_store(&plic, CLAIM, 5);
	CHECK(plic_interrupt(&plic));
	plic.level = 0;
	CHECK(!plic_interrupt(&plic));
	/* Numbers that no source has */
	plic_store(&plic, CLAIM, 0);
	plic_store(&plic, CLAIM, 32);
	plic_store(&plic, CLAIM, ~0U);
	CHECK(plic.claimed == 1 << 3);
	/* Another context is the same one: an interrupt that was moved still comes. */
	plic.level = 1 << 5;
	plic_store(&plic, ENABLE, 0);
	CHECK(!plic_interrupt(&plic));
	plic_store(&plic, ENABLE + 0x80, 1 << 5);
	CHECK(plic_load(&plic, CLAIM) == 5);
}
