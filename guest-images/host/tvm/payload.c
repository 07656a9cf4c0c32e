// SPDX-License-Identifier: BSD-2-Clause
/*
 * A payload of the user's: what firmware starts in S-mode with a0 = hart id and
 * a1 = device tree. It is one segment, laid out as it is in memory, so that no
 * linker script has to know of pages.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "linux.h"
#include "guest/shim.h"

struct payload {
	const struct segment *file;
	struct why *why;
	Elf64_Ehdr header;
	uint64_t limit;
};

#define REFUSE(payload, ...) \
	(snprintf((payload)->why->text, (payload)->why->size, __VA_ARGS__), false)

static bool check_header(struct payload *payload)
{
	Elf64_Ehdr *header = &payload->header;

	if (payload->file->size < sizeof(*header))
		return REFUSE(payload, "the ELF file is cut short");
	memcpy(header, payload->file->bytes, sizeof(*header));
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_RISCV)
		return REFUSE(payload, "not a 64-bit RISC-V ELF file; compile it for riscv64");
	if (header->e_type != ET_EXEC)
		return REFUSE(payload, "not an executable at a fixed address; link it with -static -no-pie");
	if (header->e_phentsize != sizeof(Elf64_Phdr) ||
	    header->e_phoff > payload->file->size ||
	    header->e_phnum >
	    (payload->file->size - header->e_phoff) / sizeof(Elf64_Phdr))
		return REFUSE(payload, "the ELF file is cut short");
	return true;
}

/* The next segment to load from index on; returns its index, e_phnum: none. */
static size_t next(const struct payload *payload, size_t i, Elf64_Phdr *ph)
{
	for (; i < payload->header.e_phnum; i++) {
		memcpy(ph, payload->file->bytes + payload->header.e_phoff +
		       i * sizeof(*ph), sizeof(*ph));
		if (ph->p_type == PT_LOAD && ph->p_memsz)
			break;
	}
	return i;
}

static bool check_segment(struct payload *payload, const Elf64_Phdr *ph)
{
	if (ph->p_filesz > ph->p_memsz || ph->p_offset > payload->file->size ||
	    ph->p_filesz > payload->file->size - ph->p_offset)
		return REFUSE(payload, "the ELF file is cut short");
	if (ph->p_paddr < SHIM_BASE || ph->p_paddr > payload->limit ||
	    ph->p_memsz > payload->limit - ph->p_paddr)
		return REFUSE(payload, "the segment at %#" PRIx64 " of %" PRIu64 " bytes is not in [%#lx, %#" PRIx64 "); link it there, or give more --memory",
			      (uint64_t)ph->p_paddr, (uint64_t)ph->p_memsz,
			      SHIM_BASE, payload->limit);
	return true;
}

/* Lowest page and end of all segments, and the entry as a physical address */
static bool measure(struct payload *payload, uint64_t *low, uint64_t *high,
		    uint64_t *entry)
{
	uint64_t start = payload->header.e_entry;
	bool found = false;
	Elf64_Phdr ph;

	*low = UINT64_MAX;
	*high = 0;
	for (size_t i = 0; (i = next(payload, i, &ph)) < payload->header.e_phnum;
	     i++) {
		if (!check_segment(payload, &ph))
			return false;
		if (ph.p_paddr < *low)
			*low = ph.p_paddr & ~(PAGE_SIZE - 1);
		if (ph.p_paddr + ph.p_memsz > *high)
			*high = ph.p_paddr + ph.p_memsz;
		if (start >= ph.p_vaddr && start - ph.p_vaddr < ph.p_memsz) {
			*entry = start - ph.p_vaddr + ph.p_paddr;
			found = true;
		}
	}
	return found ? true :
		REFUSE(payload, "the entry %#" PRIx64 " lies in no segment of the ELF file",
		       start);
}

static bool lay_out(struct payload *payload, uint64_t low, uint64_t high,
		    struct segment *segment)
{
	uint8_t *bytes = mmap(NULL, high - low, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	Elf64_Phdr ph;

	if (bytes == MAP_FAILED)
		return REFUSE(payload, "the host has no %" PRIu64 " bytes for it",
			      high - low);
	for (size_t i = 0; (i = next(payload, i, &ph)) < payload->header.e_phnum;
	     i++)
		memcpy(bytes + (ph.p_paddr - low),
		       payload->file->bytes + ph.p_offset, ph.p_filesz);
	*segment = (struct segment){
		.gpa = low, .bytes = bytes, .size = high - low,
	};
	return true;
}

bool payload_place(struct segment *segment, uint64_t memory, uint64_t *entry,
		   struct why *why)
{
	const struct segment file = *segment;
	struct payload payload = {
		.file = &file, .why = why, .limit = PAYLOAD_FDT(memory),
	};
	uint64_t low, high;

	if (file.size < SELFMAG || memcmp(file.bytes, ELFMAG, SELFMAG)) {
		segment->gpa = SHIM_BASE + BLOCK_SIZE;
		*entry = segment->gpa;
		return file.size <= payload.limit - segment->gpa ? true :
			REFUSE(&payload, "%" PRIu64 " bytes do not fit behind %#" PRIx64 "; give more --memory",
			       file.size, segment->gpa);
	}
	return check_header(&payload) &&
	       measure(&payload, &low, &high, entry) &&
	       lay_out(&payload, low, high, segment);
}
