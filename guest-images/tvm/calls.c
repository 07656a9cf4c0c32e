// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every call that a TVM can make of the TSM, and every access that the host
 * emulates, with what each has to answer. The argument is the number of vCPUs in
 * bits 0 to 7 and the MiB of memory above.
 */
#include "calls.h"
#include "cove.h"
#include "csr.h"
#include "sbi.h"

struct trap_counts counts[VCPUS];

static unsigned long checks, failures;

void check(const char *name, unsigned long got, unsigned long want)
{
	checks++;
	if (got == want)
		return;
	failures++;
	print("calls: ");
	print(name);
	print(" is ");
	print_hex64(got);
	print(" and not ");
	print_hex64(want);
	print("\n");
}

static void done(const char *name)
{
	print("calls: ");
	print(name);
	print(" done\n");
}

static unsigned long probe(unsigned long eid)
{
	return sbi_call(COVE_EID_BASE, COVE_BASE_PROBE_EXTENSION, eid, 0,
			0).value;
}

static void check_base(void)
{
	check("probe TIME", probe(COVE_EID_TIME), 1);
	check("probe IPI", probe(COVE_EID_IPI), 1);
	check("probe RFENCE", probe(COVE_EID_RFENCE), 1);
	check("probe HSM", probe(COVE_EID_HSM), 1);
	check("probe SRST", probe(COVE_EID_SRST), 1);
	check("probe DBCN", probe(COVE_EID_DBCN), 1);
	check("probe COVG", probe(COVE_EID_COVG), 1);
	check("probe PMU", probe(COVE_EID_PMU), 0);
	check("probe COVH", probe(COVE_EID_COVH), 0);
	check("PMU", sbi_call(COVE_EID_PMU, 0, 0, 0, 0).error,
	      COVE_ERR_NOT_SUPPORTED);
	check("COVG of no number", sbi_call(COVE_EID_COVG, 99, 0, 0, 0).error,
	      COVE_ERR_NOT_SUPPORTED);
	check("TIME of no number", sbi_call(COVE_EID_TIME, 1, 0, 0, 0).error,
	      COVE_ERR_NOT_SUPPORTED);
	check("SRST of no type", sbi_call(COVE_EID_SRST, 0, 3, 0, 0).error,
	      COVE_ERR_INVALID_PARAM);
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	unsigned long vcpus = arg & 0xff;

	asm volatile("mv tp, %0" : : "r"(vcpu_id));
	csr_write("stvec", (unsigned long)calls_vector);
	begin_traps();
	check_base();
	done("base");
	check_timer();
	done("timer");
	check_demand(arg >> 8);
	done("demand");
	check_console();
	done("console");
	check_regions();
	check_accesses();
	check_paged_accesses();
	done("mmio");
	check_refused_accesses();
	done("refused");
	check_interrupts();
	done("interrupts");
	check_sharing();
	done("sharing");
	check_harts(vcpus);
	done("harts");
	print("calls: ");
	print_decimal(checks);
	print(" checks, ");
	print_decimal(failures);
	print(" failures\n");
}
