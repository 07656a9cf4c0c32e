// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that asks for what is not its: the host's interface to the TSM, the
 * TSM's to M-mode, and extensions of the firmware. One line for each call that
 * is not refused as unknown, and the number of calls.
 */
#include "cove.h"
#include "sbi.h"

#define EID_SUSP	0x53555350
#define EID_SSE		0x535345
#define EID_FWFT	0x46574654
#define EID_PMU		0x504d55
#define EID_DBTR	0x44425452
#define EID_MPXY	0x4d505859

#define FUNCTIONS	24
/* RISC-V SBI: this call is not known. */
#define NOT_SUPPORTED	(-2)

static const unsigned long extensions[] = {
	COVE_EID_COVH, COVE_EID_COVI, COVE_EID_TSMD, COVE_EID_SUPD,
	COVE_EID_NACL, EID_SUSP, EID_SSE, EID_FWFT, EID_PMU, EID_DBTR,
	EID_MPXY,
};

static unsigned long ask(unsigned long eid, unsigned long fid,
			 unsigned long arg)
{
	struct sbi_ret ret = sbi_call(eid, fid, arg, 4096, 0);

	if (ret.error == NOT_SUPPORTED)
		return 0;
	print("hostile: eid=");
	print_hex64(eid);
	print(" fid=");
	print_hex64(fid);
	print(" error=");
	print_hex64(ret.error);
	print("\n");
	return 1;
}

/* The argument is an address of the TSM. */
void guest_main(unsigned long vcpu_id, unsigned long tsm)
{
	unsigned long calls = 0, answered = 0;
	/* The SDID that the host would use, and none. */
	static const unsigned long domains[] = {
		0, 1UL << COVE_A6_SDID_SHIFT,
	};

	(void)vcpu_id;
	for (unsigned int e = 0; e < sizeof(extensions) / sizeof(*extensions); e++)
		for (unsigned int d = 0; d < 2; d++)
			for (unsigned long fid = 0; fid < FUNCTIONS; fid++) {
				calls++;
				answered += ask(extensions[e], domains[d] | fid,
						tsm);
			}
	print("hostile: calls=");
	print_decimal(calls);
	print(" answered=");
	print_decimal(answered);
	print("\n");
}
