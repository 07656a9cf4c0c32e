/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The TSM domains as the device tree declares them, each in a node such as
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
 *
 * Several nodes have names, SDIDs and memory of their own: /chosen/tsm-domain-2
 * for example. They are booted in the tree's order.
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

/*
 * RAM by the device tree, kept here: a TSM can write its boot information, and
 * what M-mode lets the host do must not depend on that.
 */
static struct tee_range ram[COVE_MAX_RAM_RANGES];
static u32 ram_count;

static int parse_ram(const void *fdt)
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
			if (ram_count == COVE_MAX_RAM_RANGES)
				return SBI_ENOSPC;
			ram[ram_count].base = base;
			ram[ram_count].size = size;
			ram_count++;
		}
	}
	return ram_count ? 0 : SBI_EINVAL;
}

bool tsmd_fdt_is_ram(unsigned long start, unsigned long size)
{
	u32 i;

	for (i = 0; i < ram_count; i++)
		if (start >= ram[i].base && start - ram[i].base <= ram[i].size &&
		    ram[i].size - (start - ram[i].base) >= size)
			return true;
	return false;
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

static struct tee_range shared_range(const struct tsmd_range *range)
{
	return (struct tee_range){ range->start, range->end - range->start };
}

/** Memory of the other domains: to this one neither its own nor the host's */
static void fill_foreign(struct tsm_boot_info *info,
			 const struct tsmd_domain *domain, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		const struct tsmd_domain *other = &tsmd_domains[i];

		if (other == domain)
			continue;
		info->foreign[info->foreign_count++] = shared_range(&other->tsm);
		info->foreign[info->foreign_count++] = shared_range(&other->pool);
	}
}

static void fill_info(void *fdt, int node, const struct tsmd_domain *domain)
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

	info->tsm = shared_range(&domain->tsm);
	info->pool = shared_range(&domain->pool);
	info->firmware = shared_range(&firmware);
	sbi_memcpy(info->ram, ram, sizeof(ram));
	info->ram_count = ram_count;
	info->features = features();
	take_property(fdt, node, "seed", info->seed, sizeof(info->seed));
	take_property(fdt, node, "dice-handover", &info->handover,
		      sizeof(info->handover));
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

static bool meet(const struct tsmd_range *a, const struct tsmd_range *b)
{
	return !disjoint(a, b->start, b->end);
}

static int check(const struct tsmd_domain *domain)
{
	struct tsmd_range firmware = firmware_range();
	u32 i;

	/* A hart without a place in tsmd_harts[] would not be isolated. */
	if (sbi_hartindex_to_scratch(COVE_MAX_HARTS))
		return SBI_ENOSPC;
	if (!domain->sdid || domain->sdid > COVE_A6_SDID_MASK)
		return SBI_EINVAL;
	if (meet(&domain->tsm, &domain->pool) ||
	    meet(&domain->tsm, &firmware) || meet(&domain->pool, &firmware))
		return SBI_EINVAL;
	for (i = 0; i < domain->index; i++) {
		const struct tsmd_domain *other = &tsmd_domains[i];

		if (domain->sdid == other->sdid ||
		    tsmd_domain_meets(other, domain->tsm.start,
				      domain->tsm.end) ||
		    tsmd_domain_meets(other, domain->pool.start,
				      domain->pool.end))
			return SBI_EINVAL;
	}
	return 0;
}

static int parse_domain(const void *fdt, int node, struct tsmd_domain *domain)
{
	const fdt32_t *sdid;
	int rc, len;

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
	domain->info = (void *)(domain->tsm.end - TSMD_PAGE_SIZE);
	return rc;
}

static int next_domain(const void *fdt, int node)
{
	return fdt_node_offset_by_compatible(fdt, node, "teecall,tsm-domain");
}

/* Nodes stay where they are: what is taken out of one is overwritten. */
static void fill_domains(void *fdt, u32 count)
{
	int node = -1;
	u32 i;

	for (i = 0; i < count; i++) {
		struct tsmd_domain *domain = &tsmd_domains[i];

		node = next_domain(fdt, node);
		fill_info(fdt, node, domain);
		fill_foreign(domain->info, domain, count);
		tsmd_imsic_parse(fdt, domain->info);
		parse_watchdog(fdt, node, domain);
	}
}

int tsmd_fdt_parse(void)
{
	void *fdt = sbi_scratch_thishart_arg1_ptr();
	int node, rc;
	u32 count = 0;

	for (node = next_domain(fdt, -1); node >= 0;
	     node = next_domain(fdt, node)) {
		if (count == COVE_MAX_TSM_DOMAINS)
			return SBI_ENOSPC;
		tsmd_domains[count].index = count;
		rc = parse_domain(fdt, node, &tsmd_domains[count]);
		if (rc)
			return rc;
		count++;
	}
	if (!count)
		return 0;
	rc = parse_ram(fdt);
	if (rc)
		return rc;
	fill_domains(fdt, count);
	return count;
}
