/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * M-mode may read and write everything, so what it does for the host it must
 * not do with memory that is not the host's. OpenSBI's own address checks are
 * extended here; what it remembers an address for is kept out altogether.
 */

#include "tsmd.h"
#include "tsmd_wrap.h"

/* Behind the others: neither declares all that it needs. */
#include <sbi/sbi_dbtr.h>
#include <sbi/sbi_sse.h>

bool __real_sbi_domain_check_addr(const struct sbi_domain *dom,
				  unsigned long addr, unsigned long mode,
				  unsigned long access_flags);
bool __wrap_sbi_domain_check_addr(const struct sbi_domain *dom,
				  unsigned long addr, unsigned long mode,
				  unsigned long access_flags);
TSMD_SAME_TYPE(sbi_domain_check_addr);

bool __wrap_sbi_domain_check_addr(const struct sbi_domain *dom,
				  unsigned long addr, unsigned long mode,
				  unsigned long access_flags)
{
	if (mode != PRV_M && tsmd_memory_denied(addr, addr + 1))
		return false;
	return __real_sbi_domain_check_addr(dom, addr, mode, access_flags);
}

bool __real_sbi_domain_check_addr_range(const struct sbi_domain *dom,
					unsigned long addr, unsigned long size,
					unsigned long mode,
					unsigned long access_flags);
bool __wrap_sbi_domain_check_addr_range(const struct sbi_domain *dom,
					unsigned long addr, unsigned long size,
					unsigned long mode,
					unsigned long access_flags);
TSMD_SAME_TYPE(sbi_domain_check_addr_range);

/*
 * The answer holds while the caller stays in M-mode: a range becomes
 * confidential only after every hart has left M-mode and acknowledged it.
 */
bool __wrap_sbi_domain_check_addr_range(const struct sbi_domain *dom,
					unsigned long addr, unsigned long size,
					unsigned long mode,
					unsigned long access_flags)
{
	if (mode != PRV_M && (addr + size < addr ||
			      tsmd_memory_denied(addr, addr + size)))
		return false;
	return __real_sbi_domain_check_addr_range(dom, addr, size, mode,
						  access_flags);
}

int __real_sbi_dbtr_get_total_triggers(void);
int __wrap_sbi_dbtr_get_total_triggers(void);
TSMD_SAME_TYPE(sbi_dbtr_get_total_triggers);

/**
 * Debug triggers are not offered beside a TSM. OpenSBI checks only the first
 * byte of their shared memory, once, and uses it later; and a trigger of the
 * host would fire inside the TSM. Without triggers OpenSBI does not register
 * the extension.
 */
int __wrap_sbi_dbtr_get_total_triggers(void)
{
	return tsmd_boot_init() ? 0 : __real_sbi_dbtr_get_total_triggers();
}

/* Absent before v1.6; the first argument, the size, was dropped in v1.7. */
int __attribute__((weak)) __real_sbi_mpxy_set_shmem(unsigned long a0,
						    unsigned long a1,
						    unsigned long a2,
						    unsigned long a3);
int __wrap_sbi_mpxy_set_shmem(unsigned long a0, unsigned long a1,
			      unsigned long a2, unsigned long a3);

/**
 * OpenSBI keeps this address and writes there later, when the memory may have
 * become confidential: so it must lie where memory never does.
 */
int __wrap_sbi_mpxy_set_shmem(unsigned long a0, unsigned long a1,
			      unsigned long a2, unsigned long a3)
{
	if (tsmd_memory_in_pool(a0, a0 + TSMD_PAGE_SIZE) ||
	    tsmd_memory_in_pool(a1, a1 + TSMD_PAGE_SIZE) ||
	    tsmd_memory_in_pool(a1, a1 + a0))
		return SBI_ERR_INVALID_ADDRESS;
	return __real_sbi_mpxy_set_shmem(a0, a1, a2, a3);
}

int __attribute__((weak)) __real_sbi_sse_register(u32 event_id,
						  unsigned long pc,
						  unsigned long arg);
int __wrap_sbi_sse_register(u32 event_id, unsigned long pc, unsigned long arg);
TSMD_SAME_TYPE(sbi_sse_register);

/* SSE came with v1.5, the means to mask it with v1.6. */
int __attribute__((weak)) sbi_sse_hart_mask(void);

/**
 * An event that cannot be masked would enter the host's handler in the middle
 * of the TSM, with the TSM's view of memory: so there must be none.
 */
int __wrap_sbi_sse_register(u32 event_id, unsigned long pc, unsigned long arg)
{
	if (!sbi_sse_hart_mask && tsmd_domain_count)
		return SBI_ENOTSUPP;
	return __real_sbi_sse_register(event_id, pc, arg);
}
