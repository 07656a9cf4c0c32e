/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a flattened device tree (Devicetree Specification, version 17). */
#ifndef FDT_H
#define FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDT_STRUCT_MAX	(32 * 1024)
#define FDT_NAMES_MAX	2048
#define FDT_MAX		(FDT_STRUCT_MAX + FDT_NAMES_MAX + 64)

struct fdt {
	uint8_t structure[FDT_STRUCT_MAX];
	size_t size;
	char names[FDT_NAMES_MAX];
	size_t names_size;
	/* Something did not fit */
	bool full;
};

void fdt_node(struct fdt *fdt, const char *name);
void fdt_end(struct fdt *fdt);
void fdt_bytes(struct fdt *fdt, const char *name, const void *value,
	       size_t size);
void fdt_empty(struct fdt *fdt, const char *name);
void fdt_text(struct fdt *fdt, const char *name, const char *value);
void fdt_cell(struct fdt *fdt, const char *name, uint32_t value);
void fdt_cells(struct fdt *fdt, const char *name, const uint32_t *values,
	       size_t count);
/* Two numbers of two cells each, as `reg` has them */
void fdt_range(struct fdt *fdt, const char *name, uint64_t base, uint64_t size);
void fdt_number(struct fdt *fdt, const char *name, uint64_t value);
/* Returns the size of what it wrote into FDT_MAX bytes, 0 if it does not fit. */
size_t fdt_finish(struct fdt *fdt, uint32_t boot_cpu, uint8_t *to);

#endif
