/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The TSM domain as the device tree declares it:
 *
 *   /chosen/tsm-domain {
 *           compatible = "teecall,tsm-domain";
 *           sdid = <1>;
 *           memory-region = <&tsm>;            the TSM's image and data
 *           confidential-pool = <&pool>;       host memory it may convert
 *           entry = <hi lo>;                   boot entry, default the start
 *                                              of memory-region
 *           seed = [ ... ];                    32 bytes, optional: the
 *                                              TSM's key follows from it
 *           dice-handover = [ ... ];           struct tee_handover, optional
 *           watchdog-ms = <2000>;              how long the TSM may keep a hart
 *                                              while an interrupt waits there
 *                                              that the host has enabled;
 *                                              absent or 0: no limit
 *   };
 */

#include <libfdt.h>
#include <sbi_utils/fdt/fdt_helper.h>

#include "tsmd.h"

static int parse_region(const void *fdt, int node, const char *name,
			struct tsmd_range *range)
{
	uint64_t base, size;
	const fdt32_t *phandle;
	int len, region;

	phandle = fdt_getprop(fdt, node, name, &len);
	if (!phandle || len != sizeof(*phandle))
		return SBI_EINVAL;
	region = fdt_node_offset_by_phandle(fdt, fdt32_to_cpu(*phandle));
	if (region < 0 || fdt_get_node_addr_size(fdt, region, 0, &base, &size))
		return SBI_EINVAL;
	if ((base | size) & (TSMD_PAGE_SIZE - 1) || !size || base + size < base)
		return SBI_EINVAL;

	range->start = base;
	range->end = base + size;
	return 0;
}

static int parse_entry(const void *fdt, int node, struct tsmd_domain *domain)
{
	const fdt32_t *cells;
	int len;

	domain->entry = domain->tsm.start;
	cells = fdt_getprop(fdt, node, "entry", &len);
	if (!cells)
		return 0;
	if (len != 2 * sizeof(*cells))
		return SBI_EINVAL;
	domain->entry = ((unsigned long)fdt32_to_cpu(cells[0]) << 32) |
			fdt32_to_cpu(cells[1]);
	return domain->entry >= domain->tsm.start &&
	       domain->entry < domain->tsm.end ? 0 : SBI_EINVAL;
}

static int parse_ram(const void *fdt, struct tsm_boot_info *info)
{
	uint64_t base, size;
	int node = -1, i;

	for (;;) {
		node = fdt_node_offset_by_prop_value(fdt, node, "device_type",
						     "memory", sizeof("memory"));
		if (node < 0)
			break;
		for (i = 0; !fdt_get_node_addr_size(fdt, node, i, &base, &size);
		     i++) {
			if (info->ram_count == COVE_MAX_RAM_RANGES)
				return SBI_ENOSPC;
			info->ram[info->ram_count].base = base;
			info->ram[info->ram_count].size = size;
			info->ram_count++;
		}
	}
	return info->ram_count ? 0 : SBI_EINVAL;
}

/** Move a secret out of the device tree: the host gets to read the tree. */
static void take_property(void *fdt, int node, const char *name, void *to,
			  int size)
{
	const void *value;
	int len;

	value = fdt_getprop(fdt, node, name, &len);
	if (!value)
		return;
	sbi_memcpy(to, value, len < size ? len : size);
	/* The value is overwritten too. */
	fdt_nop_property(fdt, node, name);
}

/**
 * What the PMP closes around the firmware. More than the firmware itself:
 * OpenSBI rounds its regions up to powers of two.
 */
static struct tsmd_range firmware_range(void)
{
	struct sbi_scratch *scratch = sbi_scratch_thishart_ptr();
	const struct sbi_domain *host = sbi_domain_thishart_ptr();
	unsigned long fw_end = scratch->fw_start + scratch->fw_size;
	struct tsmd_range found = { scratch->fw_start, fw_end };
	const struct sbi_domain_memregion *reg;

	for (reg = host->regions; reg->order; reg++) {
		unsigned long end = reg->base + (1UL << reg->order);

		if (reg->order >= __riscv_xlen || reg->base >= fw_end ||
		    end <= scratch->fw_start)
			continue;
		if (reg->flags & (SBI_DOMAIN_MEMREGION_SU_READABLE |
				  SBI_DOMAIN_MEMREGION_SU_WRITABLE))
			continue;
		if (reg->base < found.start)
			found.start = reg->base;
		if (end > found.end)
			found.end = end;
	}
	return found;
}

/**
 * All harts of a machine are alike. OpenSBI opened mstateen0 before it asked
 * for SBI extensions, and nobody changes it later. menvcfg.CBZE it sets on
 * harts with Zicboz only, and the TSM always runs with menvcfg as it is now.
 */
static u64 features(void)
{
	u64 found = 0;

	if (sbi_hart_has_extension(sbi_scratch_thishart_ptr(),
				   SBI_HART_EXT_SMSTATEEN) &&
	    csr_read(CSR_MSTATEEN0) & SMSTATEEN_STATEN)
		found |= TEE_FEATURE_STATEEN;
	if (csr_read(CSR_MENVCFG) & ENVCFG_CBZE)
		found |= TEE_FEATURE_CBO_ZERO;
	return found;
}

static int fill_info(void *fdt, int node, struct tsmd_domain *domain)
{
	struct tsmd_range firmware = firmware_range();
	struct tsm_boot_info *info = domain->info;
	const fdt32_t *frequency;
	int cpus, len;
	u32 i;

	sbi_memset(info, 0, sizeof(*info));
	info->magic = COVE_BOOT_INFO_MAGIC;
	info->version = TEECALL_ABI_VERSION;
	info->sdid = domain->sdid;
	for (i = 0; i < COVE_MAX_HARTS && sbi_hartindex_to_scratch(i); i++)
		info->hart_id[i] = sbi_hartindex_to_hartid(i);
	info->hart_count = i;

	cpus = fdt_path_offset(fdt, "/cpus");
	frequency = fdt_getprop(fdt, cpus, "timebase-frequency", &len);
	if (frequency)
		info->timebase_hz = fdt32_to_cpu(*frequency);

	info->tsm.base = domain->tsm.start;
	info->tsm.size = domain->tsm.end - domain->tsm.start;
	info->pool.base = domain->pool.start;
	info->pool.size = domain->pool.end - domain->pool.start;
	info->firmware.base = firmware.start;
	info->firmware.size = firmware.end - firmware.start;
	info->features = features();
	take_property(fdt, node, "seed", info->seed, sizeof(info->seed));
	take_property(fdt, node, "dice-handover", &info->handover,
		      sizeof(info->handover));
	return parse_ram(fdt, info);
}

/* Of the timebase that fill_info() has found. */
static void parse_watchdog(const void *fdt, int node,
			   struct tsmd_domain *domain)
{
	const fdt32_t *limit;
	int len;

	limit = fdt_getprop(fdt, node, "watchdog-ms", &len);
	if (limit && len == sizeof(*limit))
		domain->watchdog = fdt32_to_cpu(*limit) *
				   domain->info->timebase_hz / 1000;
}

static bool disjoint(const struct tsmd_range *a, unsigned long start,
		     unsigned long end)
{
	return a->end <= start || end <= a->start;
}

static int check(const struct tsmd_domain *domain)
{
	struct tsmd_range firmware = firmware_range();
	unsigned long fw = firmware.start, fw_end = firmware.end;

	/* A hart without a place in tsmd_harts[] would not be isolated. */
	if (sbi_hartindex_to_scratch(COVE_MAX_HARTS))
		return SBI_ENOSPC;
	if (!domain->sdid || domain->sdid > COVE_A6_SDID_MASK)
		return SBI_EINVAL;
	if (!disjoint(&domain->tsm, domain->pool.start, domain->pool.end) ||
	    !disjoint(&domain->tsm, fw, fw_end) ||
	    !disjoint(&domain->pool, fw, fw_end))
		return SBI_EINVAL;
	return 0;
}

int tsmd_fdt_parse(struct tsmd_domain *domain)
{
	void *fdt = sbi_scratch_thishart_arg1_ptr();
	const fdt32_t *sdid;
	int node, rc, len;

	node = fdt_node_offset_by_compatible(fdt, -1, "teecall,tsm-domain");
	if (node < 0)
		return SBI_ENOENT;

	sdid = fdt_getprop(fdt, node, "sdid", &len);
	if (!sdid || len != sizeof(*sdid))
		return SBI_EINVAL;
	domain->sdid = fdt32_to_cpu(*sdid);
	rc = parse_region(fdt, node, "memory-region", &domain->tsm);
	if (!rc)
		rc = parse_region(fdt, node, "confidential-pool", &domain->pool);
	if (!rc)
		rc = check(domain);
	if (!rc)
		rc = parse_entry(fdt, node, domain);
	if (rc)
		return rc;

	domain->info = (void *)(domain->tsm.end - TSMD_PAGE_SIZE);
	rc = fill_info(fdt, node, domain);
	tsmd_imsic_parse(fdt, domain->info);
	parse_watchdog(fdt, node, domain);
	return rc;
}
