// SPDX-License-Identifier: BSD-2-Clause
/* A flattened device tree: structure and names grow apart and are joined last. */
#include <endian.h>
#include <string.h>

#include "fdt.h"

#define FDT_MAGIC		0xd00dfeed
#define FDT_VERSION		17
#define FDT_LAST_COMPATIBLE	16
#define FDT_BEGIN_NODE		1
#define FDT_END_NODE		2
#define FDT_PROP		3
#define FDT_FINISH		9

struct header {
	uint32_t magic;
	uint32_t total_size;
	uint32_t structure;
	uint32_t names;
	uint32_t reservations;
	uint32_t version;
	uint32_t last_compatible;
	uint32_t boot_cpu;
	uint32_t names_size;
	uint32_t structure_size;
};

/* One entry of two zero words ends the list of reserved memory. */
#define RESERVATIONS_SIZE	16

static void put(struct fdt *fdt, const void *bytes, size_t size)
{
	size_t padded = (size + 3) & ~(size_t)3;

	if (fdt->full || padded > sizeof(fdt->structure) - fdt->size) {
		fdt->full = true;
		return;
	}
	memcpy(fdt->structure + fdt->size, bytes, size);
	memset(fdt->structure + fdt->size + size, 0, padded - size);
	fdt->size += padded;
}

static void put_word(struct fdt *fdt, uint32_t value)
{
	value = htobe32(value);
	put(fdt, &value, sizeof(value));
}

/* Offset of a property's name, which is there once however often it is used */
static uint32_t name_offset(struct fdt *fdt, const char *name)
{
	size_t size = strlen(name) + 1;
	size_t at = 0;

	while (at < fdt->names_size) {
		if (!strcmp(fdt->names + at, name))
			return at;
		at += strlen(fdt->names + at) + 1;
	}
	if (size > sizeof(fdt->names) - fdt->names_size) {
		fdt->full = true;
		return 0;
	}
	memcpy(fdt->names + at, name, size);
	fdt->names_size += size;
	return at;
}

void fdt_node(struct fdt *fdt, const char *name)
{
	put_word(fdt, FDT_BEGIN_NODE);
	put(fdt, name, strlen(name) + 1);
}

void fdt_end(struct fdt *fdt)
{
	put_word(fdt, FDT_END_NODE);
}

void fdt_bytes(struct fdt *fdt, const char *name, const void *value,
	       size_t size)
{
	put_word(fdt, FDT_PROP);
	put_word(fdt, size);
	put_word(fdt, name_offset(fdt, name));
	put(fdt, value, size);
}

void fdt_empty(struct fdt *fdt, const char *name)
{
	fdt_bytes(fdt, name, "", 0);
}

void fdt_text(struct fdt *fdt, const char *name, const char *value)
{
	fdt_bytes(fdt, name, value, strlen(value) + 1);
}

void fdt_cells(struct fdt *fdt, const char *name, const uint32_t *values,
	       size_t count)
{
	put_word(fdt, FDT_PROP);
	put_word(fdt, count * sizeof(*values));
	put_word(fdt, name_offset(fdt, name));
	for (size_t i = 0; i < count; i++)
		put_word(fdt, values[i]);
}

void fdt_cell(struct fdt *fdt, const char *name, uint32_t value)
{
	fdt_cells(fdt, name, &value, 1);
}

void fdt_range(struct fdt *fdt, const char *name, uint64_t base, uint64_t size)
{
	uint32_t cells[] = { base >> 32, base, size >> 32, size };

	fdt_cells(fdt, name, cells, 4);
}

void fdt_number(struct fdt *fdt, const char *name, uint64_t value)
{
	uint32_t cells[] = { value >> 32, value };

	fdt_cells(fdt, name, cells, 2);
}

size_t fdt_finish(struct fdt *fdt, uint32_t boot_cpu, uint8_t *to)
{
	uint32_t structure = sizeof(struct header) + RESERVATIONS_SIZE;
	struct header header;

	put_word(fdt, FDT_FINISH);
	if (fdt->full)
		return 0;
	header = (struct header){
		.magic = htobe32(FDT_MAGIC),
		.total_size = htobe32(structure + fdt->size + fdt->names_size),
		.structure = htobe32(structure),
		.names = htobe32(structure + fdt->size),
		.reservations = htobe32(sizeof(header)),
		.version = htobe32(FDT_VERSION),
		.last_compatible = htobe32(FDT_LAST_COMPATIBLE),
		.boot_cpu = htobe32(boot_cpu),
		.names_size = htobe32(fdt->names_size),
		.structure_size = htobe32(fdt->size),
	};
	memcpy(to, &header, sizeof(header));
	memset(to + sizeof(header), 0, RESERVATIONS_SIZE);
	memcpy(to + structure, fdt->structure, fdt->size);
	memcpy(to + structure + fdt->size, fdt->names, fdt->names_size);
	return structure + fdt->size + fdt->names_size;
}
