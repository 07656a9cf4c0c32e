// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest interrupt files (AIA, chapters 3 and 6): hstatus.VGEIN selects one, and
 * vsiselect and vsireg reach its registers. M-mode keeps the host's hstatus and
 * vsiselect; a guest's hstatus is written when it is entered.
 */
#include "arch/aia.h"
#include "arch/arch.h"
#include "arch/csr.h"

#define EIDELIVERY	0x70
#define EITHRESHOLD	0x72
/* On RV64 every second register is there, with 64 identities. */
#define EIP0		0x80
#define EIE0		0xc0

/* All harts of a machine are alike. */
static unsigned int guest_files;

static void __attribute__((noinline)) select_file(u64 number)
{
	csr_write(CSR_HSTATUS, (csr_read(CSR_HSTATUS) & HSTATUS_VSXL) |
			       number << HSTATUS_VGEIN_SHIFT);
}

static u64 swap(u64 selected, u64 value)
{
	u64 old;

	csr_write(CSR_VSISELECT, selected);
	old = csr_read(CSR_VSIREG);
	csr_write(CSR_VSIREG, value);
	return old;
}

void aia_probe(const struct tsm_boot_info *info)
{
	u64 writable;

	/* No such CSR bits without files, and on some harts no such CSR. */
	if (!info->imsic_guest_pages)
		return;
	csr_write(CSR_HGEIE, ~0UL);
	writable = csr_read(CSR_HGEIE) >> 1;
	csr_write(CSR_HGEIE, 0);
	while (writable & 1) {
		guest_files++;
		writable >>= 1;
	}
}

unsigned int arch_guest_files(void)
{
	return guest_files;
}

void arch_file_load(unsigned int number, const struct interrupt_file *file,
		    u64 ids)
{
	u64 i;

	select_file(number);
	/* Nothing is delivered before all of the guest's state is there. */
	swap(EIDELIVERY, 0);
	for (i = 0; i <= ids / 64; i++) {
		swap(EIE0 + 2 * i, file->enabled[i]);
		swap(EIP0 + 2 * i, file->pending[i]);
	}
	swap(EITHRESHOLD, file->threshold);
	swap(EIDELIVERY, file->delivery);
}

void arch_file_put(unsigned int number, struct interrupt_file *file, u64 ids)
{
	u64 i;

	select_file(number);
	file->delivery = swap(EIDELIVERY, 0);
	file->threshold = swap(EITHRESHOLD, 0);
	for (i = 0; i <= ids / 64; i++) {
		file->enabled[i] = swap(EIE0 + 2 * i, 0);
		file->pending[i] = swap(EIP0 + 2 * i, 0);
	}
	csr_write(CSR_VSISELECT, 0);
}

bool arch_file_waits(unsigned int number)
{
	return csr_read(CSR_HGEIP) >> number & 1;
}

void arch_send_msi(u64 page, u32 id)
{
	*(volatile u32 *)page = id;
	/*
	 * The caller holds a lock that says whose the file is: the write to the
	 * device must not be seen behind the lock's release in memory.
	 */
	__asm__ volatile("fence iorw, iorw" : : : "memory");
}
