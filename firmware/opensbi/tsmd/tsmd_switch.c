/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The switch where a trap frame comes and goes: OpenSBI's trap vector restores
 * registers from the frame that the trap handler returns, so returning the
 * other side's frame switches the general registers.
 */

#include "tsmd_switch.h"

/**
 * Copy a register frame. Word by word and unrolled: the library's memcpy goes
 * byte by byte, and this runs on every TEECALL.
 */
static inline void copy_regs(struct sbi_trap_regs *to,
			     const struct sbi_trap_regs *from)
{
	const unsigned long *src = (const unsigned long *)from;
	unsigned long *dst = (unsigned long *)to;
	unsigned int i;

#pragma GCC unroll 36
	for (i = 0; i < sizeof(*to) / sizeof(*dst); i++) {
		dst[i] = src[i];
		/* Keeps the compiler from making a memcpy call of the loop. */
		__asm__ __volatile__("" : : : "memory");
	}
}

static void set_tsm_frame(struct tsmd_hart *hart,
			  const struct sbi_trap_regs *regs)
{
	struct sbi_trap_regs *tsm = &hart->tsm.regs;

	tsm->a0 = regs->a0;
	tsm->a1 = regs->a1;
	tsm->a2 = regs->a2;
	tsm->a3 = regs->a3;
	tsm->a4 = regs->a4;
	tsm->a5 = regs->a5;
	tsm->a6 = regs->a6;
	tsm->a7 = regs->a7;
	tsm->t0 = hart->interrupted ? COVE_TEECALL_RESUME : 0;
	tsm->tp = hart->index;
	tsm->mepc = hart->domain->entry;
	tsm->mstatus = hart->tsm_mstatus;
}

struct sbi_trap_context *tsmd_enter(struct tsmd_hart *hart,
				    const struct sbi_trap_regs *regs)
{
	copy_regs(&hart->host.regs, regs);
	set_tsm_frame(hart, regs);
	tsmd_switch_to_tsm(hart);
	return &hart->tsm;
}

struct sbi_trap_context *tsmd_leave(struct tsmd_hart *hart)
{
	tsmd_switch_to_host(hart);
	return &hart->host;
}
