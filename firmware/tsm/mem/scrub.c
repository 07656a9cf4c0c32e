// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages of zeros. Where the harts have Zicboz a whole cache block is zeroed by
 * one instruction, else the page is written word by word. How large a block is
 * no register tells: the instruction itself shows it, once, at boot.
 */
#include "arch/arch.h"
#include "mem/mem.h"

/* Bytes that cbo.zero zeroes; 0: the harts do not have it. */
static u64 block_size;

/* A block is never larger than a page: pages have permissions of their own. */
static u8 probe[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static u64 probe_block(void)
{
	u64 size = 0;

	memset(probe, 0xff, sizeof(probe));
	arch_zero_block(probe);
	while (size < PAGE_SIZE && !probe[size])
		size++;
	/* Pages are made of whole blocks, or another way has to be taken. */
	return size && PAGE_SIZE % size == 0 ? size : 0;
}

void scrub_init(const struct tsm_boot_info *info)
{
	block_size = info->features & TEE_FEATURE_CBO_ZERO ? probe_block() : 0;
}

void pages_scrub(u64 base, u64 count)
{
	u8 *at = phys_to_virt(base);
	const u8 *end = at + (count << PAGE_SHIFT);

	if (!block_size) {
		memset(at, 0, end - at);
		return;
	}
	for (; at < end; at += block_size)
		arch_zero_block(at);
}
