/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the guest interrupt files are: pages behind each hart's supervisor-level
 * interrupt file (AIA 3.6), which the TSM may take from the host one by one.
 */

#include <libfdt.h>
#include <sbi/sbi_hartmask.h>
#include <sbi_utils/fdt/fdt_helper.h>
#include <sbi_utils/irqchip/imsic.h>

#include "tsmd.h"

/*
 * Of the device tree, kept here: the TSM can write its boot information, and
 * what M-mode takes from the host must not depend on that.
 */
static unsigned long file[COVE_MAX_HARTS];
static unsigned long guest_pages;

/** Hart index behind entry @p i of `interrupts-extended`; negative if none */
static int parent_hart(const void *fdt, const fdt32_t *parents, int i)
{
	int intc = fdt_node_offset_by_phandle(fdt, fdt32_to_cpu(parents[2 * i]));
	u32 hartid, index;

	if (intc < 0 ||
	    fdt_parse_hart_id(fdt, fdt_parent_offset(fdt, intc), &hartid))
		return -1;
	index = sbi_hartid_to_hartindex(hartid);
	return index < COVE_MAX_HARTS ? (int)index : -1;
}

/** The file of the @p i th hart of a node with one piece of memory a group */
static unsigned long address_of(const struct imsic_data *imsic, unsigned long i)
{
	unsigned long hart = i & ((1UL << imsic->hart_index_bits) - 1);
	unsigned long group = i >> imsic->hart_index_bits;

	return imsic->regs[0].addr + (group << imsic->group_index_shift) +
	       (hart << (imsic->guest_index_bits + TSMD_PAGE_SHIFT));
}

static void take_node(const void *fdt, int node, const struct imsic_data *imsic)
{
	const fdt32_t *parents;
	int len, i, hart;

	parents = fdt_getprop(fdt, node, "interrupts-extended", &len);
	for (i = 0; parents && i < len / 8; i++) {
		hart = parent_hart(fdt, parents, i);
		if (hart >= 0)
			file[hart] = address_of(imsic, i);
	}
	guest_pages = (1UL << imsic->guest_index_bits) - 1;
}

/** Tell the TSM too where the files are */
static void fill_info(struct tsm_boot_info *info, const struct imsic_data *imsic)
{
	u32 i;

	for (i = 0; i < COVE_MAX_HARTS; i++)
		info->imsic[i] = file[i];
	info->imsic_guest_pages = guest_pages;
	info->imsic_ids = imsic->num_ids;
}

void tsmd_imsic_parse(const void *fdt, struct tsm_boot_info *info)
{
	struct imsic_data imsic;
	int node = -1;

	for (;;) {
		node = fdt_node_offset_by_compatible(fdt, node, "riscv,imsics");
		if (node < 0)
			return;
		if (fdt_parse_imsic_node(fdt, node, &imsic) ||
		    imsic.targets_mmode || !imsic.guest_index_bits ||
		    imsic.guest_index_bits > 6)
			continue;
		take_node(fdt, node, &imsic);
		fill_info(info, &imsic);
		return;
	}
}

bool tsmd_imsic_is_guest_file(unsigned long page)
{
	u32 i;

	for (i = 0; i < COVE_MAX_HARTS; i++)
		if (file[i] && !(page & (TSMD_PAGE_SIZE - 1)) &&
		    page > file[i] &&
		    page - file[i] <= guest_pages << TSMD_PAGE_SHIFT)
			return true;
	return false;
}
