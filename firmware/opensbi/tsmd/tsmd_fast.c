/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The two crossings that every call makes, reached from tsmd_vector.S without
 * a trap frame. Everything rare is left to tsmd_call.c.
 */

#include "tsmd_switch.h"

#define ECALL_SIZE	4

const struct sbi_trap_regs *tsmd_fast_teecall(struct tsmd_hart *hart);
const struct sbi_trap_regs *tsmd_fast_ret(long error, unsigned long value,
					  unsigned long scause,
					  unsigned long stval,
					  unsigned long flags,
					  struct tsmd_hart *hart);

/** The host's registers are in hart->host; @return those to go on with */
const struct sbi_trap_regs *tsmd_fast_teecall(struct tsmd_hart *hart)
{
	struct sbi_trap_regs *host = &hart->host.regs;
	long rc = tsmd_check_target(host->a6);

	if (rc) {
		host->a0 = rc;
		host->a1 = 0;
		host->mepc += ECALL_SIZE;
		return host;
	}

	hart->eid = host->a7;
	hart->fid = host->a6;
	tsmd_switch_to_tsm(hart);
	tsmd_event(hart, TEE_EVENT_TEECALL, 0, 0, host->mepc);
	return &hart->tsm.regs;
}

/** RET of the TSM; @return the host's registers */
const struct sbi_trap_regs *tsmd_fast_ret(long error, unsigned long value,
					  unsigned long scause,
					  unsigned long stval,
					  unsigned long flags,
					  struct tsmd_hart *hart)
{
	struct sbi_trap_regs *host = &hart->host.regs;
	bool cause = flags & COVE_RET_CAUSE_VALID;

	host->a0 = error;
	host->a1 = value;
	host->mepc += ECALL_SIZE;
	tsmd_event(hart, TEE_EVENT_TEERET, error, value, cause ? scause : 0);
	if (cause) {
		/* The switch writes the host's CSRs from here. */
		hart->csrs.scause = scause;
		hart->csrs.stval = stval;
	}
	tsmd_switch_to_host(hart);
	return host;
}
