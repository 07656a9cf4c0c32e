/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sbi_domain_context_enter() and sbi_domain_context_exit() as SBI calls: no
 * release of OpenSBI calls them from anywhere.
 */

/* Before OpenSBI v1.7 an imported global may else become a dynamic relocation. */
#pragma GCC visibility push(hidden)

#include <sbi/sbi_domain.h>
#include <sbi/sbi_domain_context.h>
#include <sbi/sbi_ecall.h>
#include <sbi/sbi_error.h>
#include <sbi/sbi_trap.h>
#include <sbi/sbi_version.h>

#include "bench_context.h"

#if OPENSBI_VERSION_MAJOR > 1 || OPENSBI_VERSION_MINOR >= 6
#define NAME(text)	.name = text,
#else
#define NAME(text)
#endif

/** The one domain of the device tree */
static struct sbi_domain *other_domain(void)
{
	struct sbi_domain *dom;

#ifdef SBI_DOMAIN_MAX_INDEX
	u32 i;

	sbi_domain_for_each(i, dom)
#else
	sbi_domain_for_each(dom)
#endif
		if (dom != &root)
			return dom;
	return NULL;
}

static int handle(unsigned long extid, unsigned long funcid,
		  struct sbi_trap_regs *regs, struct sbi_ecall_return *out)
{
	static struct sbi_domain *other;

	if (!other)
		other = other_domain();
	if (!other)
		return SBI_ENODEV;
	switch (funcid) {
	case BENCH_CONTEXT_ENTER:
		return sbi_domain_context_enter(other);
	case BENCH_CONTEXT_EXIT:
		sbi_domain_context_exit();
		return 0;
	}
	return SBI_ENOTSUPP;
}

struct sbi_ecall_extension ecall_bench_context;

static int register_context(void)
{
	return sbi_ecall_register_extension(&ecall_bench_context);
}

struct sbi_ecall_extension ecall_bench_context = {
	NAME("bench")
	.extid_start = BENCH_EID,
	.extid_end = BENCH_EID,
	.register_extensions = register_context,
	.handle = handle,
};
