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

static const struct sbi_trap_regs *refuse(struct sbi_trap_regs *host, long rc)
{
	host->a0 = rc;
	host->a1 = 0;
	host->mepc += ECALL_SIZE;
	return host;
}

/** A call to another domain than the hart's last one. Out of line, for its frame. */
static const struct sbi_trap_regs *__attribute__((noinline))
turn_and_call(struct tsmd_hart *hart)
{
	struct sbi_trap_regs *host = &hart->host.regs;

	if (tsmd_turn_to(hart, tsmd_sdid_of(host->a6)))
		return refuse(host, SBI_ERR_NOT_SUPPORTED);
	return tsmd_fast_teecall(hart);
}

/**
 * The host's registers are in hart->host; @return NULL to go on with the TSM,
 * else the registers of the host
 */
const struct sbi_trap_regs *tsmd_fast_teecall(struct tsmd_hart *hart)
{
	struct sbi_trap_regs *host = &hart->host.regs;
	long rc;

	/* Most calls of a hart go where the one before went. */
	if (unlikely(tsmd_sdid_of(host->a6) != hart->sdid))
		return turn_and_call(hart);
	rc = tsmd_check_ready(hart);
	if (unlikely(rc))
		return refuse(host, rc);
	tsmd_switch_to_tsm(hart);
	tsmd_event_tagged(hart, hart->event_tag, TEE_EVENT_TEECALL, 0, 0,
			  host->mepc);
	return NULL;
}

/**
 * RET of the TSM; @return the host's registers
 *
 * Whether another hart has found the TSM dead meanwhile is not looked at: the
 * answer was complete before the death could reach this hart, whose IPI ends
 * all that is still in the TSM, and a look here could not see the next moment.
 * Every later call fails.
 */
const struct sbi_trap_regs *tsmd_fast_ret(long error, unsigned long value,
					  unsigned long scause,
					  unsigned long stval,
					  unsigned long flags,
					  struct tsmd_hart *hart)
{
	struct sbi_trap_regs *host = &hart->host.regs;
	unsigned long cause = 0;

	host->a0 = error;
	host->a1 = value;
	host->mepc += ECALL_SIZE;
	if (flags & COVE_RET_CAUSE_VALID) {
		/* The switch writes the host's CSRs from here. */
		hart->csrs.scause = cause = scause;
		hart->csrs.stval = stval;
	}
	tsmd_event_tagged(hart, hart->event_tag, TEE_EVENT_TEERET, error,
			  value, cause);
	tsmd_switch_to_host(hart);
	return host;
}
