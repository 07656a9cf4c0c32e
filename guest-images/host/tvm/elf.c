// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest image: an ELF file whose loadable segments are whole pages.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tvm.h"

/* More than any machine here has: keeps the sums below from overflowing. */
#define GPA_LIMIT	(1ULL << 50)

struct file {
	const uint8_t *bytes;
	uint64_t size;
};

struct why {
	char *text;
	size_t size;
};

#define REFUSE(why, ...) \
	(snprintf((why)->text, (why)->size, __VA_ARGS__), false)

static bool map_file(const char *path, struct file *file, struct why *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd < 0)
		return REFUSE(why, "%s: %s", path, strerror(errno));
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size)
		map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return REFUSE(why, "%s: not a readable, non-empty file", path);
	file->bytes = map;
	file->size = st.st_size;
	return true;
}

static bool check_header(const struct file *file, Elf64_Ehdr *header,
			 struct why *why)
{
	if (file->size < sizeof(*header) ||
	    memcmp(file->bytes, ELFMAG, SELFMAG))
		return REFUSE(why, "not an ELF file; give a guest's .elf");
	memcpy(header, file->bytes, sizeof(*header));
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_RISCV)
		return REFUSE(why, "not a 64-bit RISC-V ELF file; compile it for riscv64");
	if (header->e_type != ET_EXEC)
		return REFUSE(why, "not an executable at a fixed address; link it with -static -no-pie");
	if (header->e_phentsize != sizeof(Elf64_Phdr) ||
	    header->e_phoff > file->size ||
	    header->e_phnum > (file->size - header->e_phoff) / sizeof(Elf64_Phdr))
		return REFUSE(why, "program headers lie outside the file; it is truncated or damaged");
	return true;
}

static bool check_segment(const struct file *file, const Elf64_Phdr *ph,
			  struct why *why)
{
	if (ph->p_paddr % PAGE_SIZE)
		return REFUSE(why, "segment at %#" PRIx64 " is not 4 KiB aligned; align it in the linker script",
			      (uint64_t)ph->p_paddr);
	if (ph->p_filesz > ph->p_memsz || ph->p_offset > file->size ||
	    ph->p_filesz > file->size - ph->p_offset)
		return REFUSE(why, "segment at %#" PRIx64 " lies outside the file; it is truncated or damaged",
			      (uint64_t)ph->p_paddr);
	if (ph->p_paddr >= GPA_LIMIT || ph->p_memsz >= GPA_LIMIT)
		return REFUSE(why, "segment at %#" PRIx64 " of %#" PRIx64 " bytes is beyond any guest's memory",
			      (uint64_t)ph->p_paddr, (uint64_t)ph->p_memsz);
	return true;
}

/* Pages are measured in ascending order, whatever the file's order is. */
static void insert_sorted(struct image *image, struct segment segment)
{
	size_t i = image->count++;

	while (i && image->segments[i - 1].gpa > segment.gpa) {
		image->segments[i] = image->segments[i - 1];
		i--;
	}
	image->segments[i] = segment;
}

static bool read_segments(const struct file *file, const Elf64_Ehdr *header,
			  struct image *image, struct why *why)
{
	for (size_t i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, file->bytes + header->e_phoff + i * sizeof(ph),
		       sizeof(ph));
		if (ph.p_type != PT_LOAD || !ph.p_memsz)
			continue;
		if (!check_segment(file, &ph, why))
			return false;
		if (image->count == MAX_SEGMENTS)
			return REFUSE(why, "more than %d PT_LOAD segments", MAX_SEGMENTS);
		insert_sorted(image, (struct segment){
			.gpa = ph.p_paddr,
			.pages = round_up(ph.p_memsz, PAGE_SIZE) / PAGE_SIZE,
			.bytes = file->bytes + ph.p_offset,
			.size = ph.p_filesz,
		});
	}
	return image->count ? true :
		REFUSE(why, "no PT_LOAD segment; there is nothing to run");
}

static uint64_t segment_end(const struct segment *segment)
{
	return segment->gpa + segment->pages * PAGE_SIZE;
}

static bool place(struct image *image, struct why *why)
{
	const struct segment *last = &image->segments[image->count - 1];
	bool entry_found = false;

	for (size_t i = 0; i < image->count; i++) {
		const struct segment *segment = &image->segments[i];

		if (i && segment_end(segment - 1) > segment->gpa)
			return REFUSE(why, "segments share the page at %#" PRIx64 "; align each to 4 KiB",
				      segment->gpa);
		if (image->entry >= segment->gpa &&
		    image->entry < segment_end(segment))
			entry_found = true;
		image->pages += segment->pages;
	}
	if (!entry_found)
		return REFUSE(why, "entry %#" PRIx64 " lies in no PT_LOAD segment",
			      image->entry);
	image->region_base = image->segments[0].gpa;
	image->region_size = round_up(segment_end(last), BLOCK_SIZE) -
			     image->region_base;
	return true;
}

/**
 * Read a guest image. The file stays mapped for as long as the tool runs.
 * @why: receives one line with the remedy when the file is refused
 */
bool image_load(struct image *image, const char *path, char *text, size_t size)
{
	struct why why = { .text = text, .size = size };
	struct file file;
	Elf64_Ehdr header;

	memset(image, 0, sizeof(*image));
	if (!map_file(path, &file, &why) || !check_header(&file, &header, &why))
		return false;
	image->entry = header.e_entry;
	return read_segments(&file, &header, image, &why) && place(image, &why);
}
