// SPDX-License-Identifier: BSD-2-Clause
/* The devices in the device tree of the guest. */
#include <stdio.h>

#include "devices.h"
#include "fdt.h"
#include "tree.h"

/* The vCPUs' interrupt controllers have 1 and up. */
#define PHANDLE_PLIC	0x100
#define PHANDLE_POOL	0x101
/* Supervisor external interrupt, as scause counts them */
#define CPU_EXTERNAL	9

static void put_name(struct fdt *fdt, const char *kind, uint64_t at)
{
	char name[40];

	snprintf(name, sizeof(name), "%s@%llx", kind, (unsigned long long)at);
	fdt_node(fdt, name);
}

/* Linux, reserved-memory/shared-dma-pool.yaml: all buffers of a device go there. */
static void put_pool(struct fdt *fdt, const struct devices_tree *tree)
{
	fdt_node(fdt, "reserved-memory");
	fdt_cell(fdt, "#address-cells", 2);
	fdt_cell(fdt, "#size-cells", 2);
	fdt_empty(fdt, "ranges");
	put_name(fdt, "restricted-dma-pool", tree->pool);
	fdt_text(fdt, "compatible", "restricted-dma-pool");
	fdt_range(fdt, "reg", tree->pool, tree->pool_size);
	fdt_cell(fdt, "phandle", PHANDLE_POOL);
	fdt_end(fdt);
	fdt_end(fdt);
}

/*
 * A context for each vCPU, since Linux uses a PLIC that serves all CPUs only;
 * all are vCPU 0's (plic.c).
 */
static void put_plic(struct fdt *fdt, const struct devices_tree *tree)
{
	uint32_t contexts[2 * DEVICES_MAX_VCPUS];

	for (uint64_t id = 0; id < tree->vcpus; id++) {
		contexts[2 * id] = id + 1;
		contexts[2 * id + 1] = CPU_EXTERNAL;
	}
	put_name(fdt, "interrupt-controller", DEVICES_PLIC);
	fdt_text(fdt, "compatible", "sifive,plic-1.0.0");
	fdt_range(fdt, "reg", DEVICES_PLIC, PLIC_SIZE);
	fdt_cell(fdt, "#address-cells", 0);
	fdt_cell(fdt, "#interrupt-cells", 1);
	fdt_empty(fdt, "interrupt-controller");
	fdt_cells(fdt, "interrupts-extended", contexts, 2 * tree->vcpus);
	fdt_cell(fdt, "riscv,ndev", PLIC_SOURCES);
	fdt_cell(fdt, "phandle", PHANDLE_PLIC);
	fdt_end(fdt);
}

static void put_device(struct fdt *fdt, const struct devices_tree *tree,
		       unsigned int number)
{
	uint64_t at = DEVICES_VIRTIO + number * DEVICES_STRIDE;

	put_name(fdt, "virtio_mmio", at);
	fdt_text(fdt, "compatible", "virtio,mmio");
	fdt_range(fdt, "reg", at, DEVICES_STRIDE);
	fdt_cell(fdt, "interrupt-parent", PHANDLE_PLIC);
	fdt_cell(fdt, "interrupts", number + 1);
	fdt_empty(fdt, "dma-coherent");
	if (tree->pool_size && !(tree->unpooled >> number & 1))
		fdt_cell(fdt, "memory-region", PHANDLE_POOL);
	fdt_end(fdt);
}

void devices_put_tree(struct fdt *fdt, const struct devices_tree *tree)
{
	if (!tree->count)
		return;
	if (tree->pool_size)
		put_pool(fdt, tree);
	put_plic(fdt, tree);
	for (unsigned int i = 0; i < tree->count; i++)
		put_device(fdt, tree, i);
}
