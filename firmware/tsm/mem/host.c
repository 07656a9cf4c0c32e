// SPDX-License-Identifier: BSD-2-Clause
/*
 * Host memory. An address that the host passes may name anything: firmware,
 * the TSM, a page of a TVM. Nothing is touched before it is known to be plain
 * host RAM, and the tracker stays locked from the check to the last byte, so
 * that a conversion on another hart cannot slip in between.
 */
#include "arch/arch.h"
#include "mem/mem.h"

static const struct tsm_boot_info *machine;

void host_init(const struct tsm_boot_info *info)
{
	machine = info;
}

static bool in_ram(u64 address, u64 size)
{
	u32 i;

	for (i = 0; i < machine->ram_count; i++)
		if (range_inside(address, size, machine->ram[i].base,
				 machine->ram[i].size))
			return true;
	return false;
}

static bool meets(u64 address, u64 size, const struct tee_range *range)
{
	return ranges_meet(address, size, range->base, range->size);
}

/*
 * Memory of other TSM domains. What of it is confidential traps, and may become
 * so at any moment: none of it is the host's here, for good.
 */
static bool is_foreign(u64 address, u64 size)
{
	u64 i;

	for (i = 0; i < machine->foreign_count; i++)
		if (meets(address, size, &machine->foreign[i]))
			return true;
	return false;
}

/* Tracker locked. RAM ends below 2^64, so inside it nothing wraps. */
static bool is_host_ram(u64 address, u64 size)
{
	u64 page;

	if (!size || !in_ram(address, size))
		return false;
	if (meets(address, size, &machine->firmware) ||
	    meets(address, size, &machine->tsm) || is_foreign(address, size))
		return false;
	for (page = address & ~(PAGE_SIZE - 1); page < address + size;
	     page += PAGE_SIZE)
		if (page_is_withheld(page))
			return false;
	return true;
}

s64 host_check(u64 address, u64 size)
{
	bool ok;

	pages_lock();
	ok = is_host_ram(address, size);
	pages_unlock();
	return ok ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}

s64 host_copy_in(void *to, u64 address, u64 size)
{
	bool ok;

	pages_lock();
	ok = is_host_ram(address, size);
	if (ok)
		memcpy(to, phys_to_virt(address), size);
	pages_unlock();
	return ok ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}

s64 host_copy_out(u64 address, const void *from, u64 size)
{
	bool ok;

	pages_lock();
	ok = is_host_ram(address, size);
	if (ok)
		memcpy(phys_to_virt(address), from, size);
	pages_unlock();
	return ok ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}

static void count_shares(u64 base, u64 pages, int change)
{
	u64 page;

	for (page = base; page < base + (pages << PAGE_SHIFT);
	     page += PAGE_SIZE)
		page_count_share(page, change);
}

s64 host_share(u64 base, u64 pages)
{
	bool ok;

	pages_lock();
	ok = is_host_ram(base, pages << PAGE_SHIFT);
	if (ok)
		count_shares(base, pages, 1);
	pages_unlock();
	return ok ? COVE_SUCCESS : COVE_ERR_INVALID_ADDRESS;
}

void host_unshare(u64 base, u64 pages)
{
	pages_lock();
	count_shares(base, pages, -1);
	pages_unlock();
}

void *host_nacl(unsigned int hart)
{
	/* M-mode changes it while the host runs, on any hart. */
	u64 page = __atomic_load_n(&machine->nacl[hart], __ATOMIC_RELAXED);

	return page ? phys_to_virt(page) : NULL;
}
