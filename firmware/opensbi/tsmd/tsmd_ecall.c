/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * SBI extensions that the host sees. COVH and COVI calls never arrive here:
 * tsmd_trap.c takes them; they are registered so that probing finds them.
 */

#include "tsmd.h"

/* The name fields came with v1.6. */
#if OPENSBI_VERSION_MAJOR > 1 || OPENSBI_VERSION_MINOR >= 6
#define NAME(text)	.name = text,
#else
#define NAME(text)
#endif

static int probe_ready(unsigned long extid, unsigned long *out_val)
{
	u32 i;

	*out_val = 0;
	for (i = 0; i < tsmd_domain_count; i++)
		*out_val |= tsmd_domains[i].state != TSMD_LOADED;
	return 0;
}

static int handle_none(unsigned long extid, unsigned long funcid,
		       struct sbi_trap_regs *regs,
		       struct sbi_ecall_return *out)
{
	return SBI_ENOTSUPP;
}

struct sbi_ecall_extension ecall_tsmd_cove;

static int register_cove(void)
{
	if (!tsmd_boot_init())
		return 0;
	return sbi_ecall_register_extension(&ecall_tsmd_cove);
}

struct sbi_ecall_extension ecall_tsmd_cove = {
	NAME("cove")
	.extid_start = COVE_EID_COVH,
	.extid_end = COVE_EID_COVI,
	.register_extensions = register_cove,
	.probe = probe_ready,
	.handle = handle_none,
};

static int handle_supd(unsigned long extid, unsigned long funcid,
		       struct sbi_trap_regs *regs,
		       struct sbi_ecall_return *out)
{
	u32 i;

	if (funcid != COVE_SUPD_GET_ACTIVE_DOMAINS)
		return SBI_ENOTSUPP;

	/* Bit 0 is the host's own domain, always there. */
	out->value = 1;
	for (i = 0; i < tsmd_domain_count; i++)
		if (tsmd_domains[i].state == TSMD_READY)
			out->value |= 1UL << tsmd_domains[i].sdid;
	return 0;
}

struct sbi_ecall_extension ecall_tsmd_supd;

static int register_supd(void)
{
	return sbi_ecall_register_extension(&ecall_tsmd_supd);
}

struct sbi_ecall_extension ecall_tsmd_supd = {
	NAME("supd")
	.extid_start = COVE_EID_SUPD,
	.extid_end = COVE_EID_SUPD,
	.register_extensions = register_supd,
	.handle = handle_supd,
};

static int set_shmem(const struct sbi_trap_regs *regs)
{
	unsigned long lo = regs->a0, hi = regs->a1, flags = regs->a2;

	if (!tsmd_this_hart()->seen)
		return SBI_ERR_NOT_SUPPORTED;
	if (flags)
		return SBI_ERR_INVALID_PARAM;
	if (lo == -1UL && hi == -1UL)
		return tsmd_memory_set_nacl(tsmd_this_hart(), 0);
	if (lo & (TSMD_PAGE_SIZE - 1))
		return SBI_ERR_INVALID_PARAM;
	if (hi || !tsmd_fdt_is_ram(lo, COVE_NACL_SHMEM_SIZE) ||
	    !sbi_domain_check_addr_range(tsmd_host, lo, COVE_NACL_SHMEM_SIZE,
					 PRV_S, SBI_DOMAIN_READ | SBI_DOMAIN_WRITE))
		return SBI_ERR_INVALID_ADDRESS;
	return tsmd_memory_set_nacl(tsmd_this_hart(), lo);
}

static int handle_nacl(unsigned long extid, unsigned long funcid,
		       struct sbi_trap_regs *regs,
		       struct sbi_ecall_return *out)
{
	switch (funcid) {
	case COVE_NACL_PROBE_FEATURE:
		/* No nested acceleration feature: CoVE needs the memory only. */
		return 0;
	case COVE_NACL_SET_SHMEM:
		return set_shmem(regs);
	}
	return SBI_ENOTSUPP;
}

struct sbi_ecall_extension ecall_tsmd_nacl;

static int register_nacl(void)
{
	if (!tsmd_boot_init())
		return 0;
	return sbi_ecall_register_extension(&ecall_tsmd_nacl);
}

struct sbi_ecall_extension ecall_tsmd_nacl = {
	NAME("nacl")
	.extid_start = COVE_EID_NACL,
	.extid_end = COVE_EID_NACL,
	.register_extensions = register_nacl,
	.handle = handle_nacl,
};
