// SPDX-License-Identifier: BSD-2-Clause
/*
 * Boot shim of a Linux TVM. It declares to the TSM what is not the TVM's own
 * memory, looks at memory that came unmeasured, and starts the kernel as the
 * firmware of a real machine would: a0 = hart id, a1 = device tree.
 */
#include "cove.h"
#include "sbi.h"
#include "guest/shim.h"

static void refuse(const char *what, unsigned long at, long error)
{
	print("shim: ");
	print(what);
	print(" at ");
	print_hex64(at);
	print(", error ");
	print_hex64(error);
	print("\n");
	shutdown();
}

static void declare(const char *what, unsigned long function,
		    const struct shim_step *step)
{
	long error = sbi_call(COVE_EID_COVG, function, step->base, step->size,
			      0).error;

	if (error)
		refuse(what, step->base, error);
}

static void check_zero(const struct shim_step *step)
{
	const volatile uint64_t *word = (const volatile uint64_t *)step->base;

	for (uint64_t i = 0; i < step->size / sizeof(*word); i++)
		if (word[i])
			refuse("memory that is not zero", (unsigned long)&word[i],
			       0);
}

static void take(const struct shim_step *step)
{
	switch (step->kind) {
	case SHIM_MMIO:
		declare("add_mmio_region", COVE_COVG_ADD_MMIO_REGION, step);
		break;
	case SHIM_ZERO:
		check_zero(step);
		break;
	case SHIM_SHARE:
		declare("share_memory_region", COVE_COVG_SHARE_MEMORY_REGION,
			step);
		break;
	case SHIM_ALLOW:
		declare("allow_external_interrupt",
			COVE_COVG_ALLOW_EXTERNAL_INTERRUPT, step);
		break;
	default:
		refuse("a step of no kind", step->base, (long)step->kind);
	}
}

/* satp and sie are 0 since the vCPU started, as the kernel wants them. */
static void __attribute__((noreturn)) start_kernel(unsigned long entry,
						   unsigned long hart,
						   unsigned long fdt)
{
	register unsigned long a0 asm("a0") = hart;
	register unsigned long a1 asm("a1") = fdt;

	asm volatile("jr %0" : : "r"(entry), "r"(a0), "r"(a1) : "memory");
	__builtin_unreachable();
}

void guest_main(unsigned long vcpu_id, unsigned long fdt)
{
	const struct shim_params *params = (const struct shim_params *)SHIM_PARAMS;

	if (params->magic != SHIM_MAGIC || params->count > SHIM_MAX_STEPS)
		refuse("no parameters", SHIM_PARAMS, (long)params->magic);
	for (uint64_t i = 0; i < params->count; i++)
		take(&params->steps[i]);
	start_kernel(params->entry, vcpu_id, fdt);
}
