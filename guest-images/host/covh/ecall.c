// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One ECALL: patterns into every register, the instruction, the comparison.
 */
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/smp.h>

#include "covh.h"

#define X_A0	10
#define X_A6	16
#define X_A7	17

/* Each register's pattern names the register, so that a leak tells its source. */
static u64 pattern(unsigned int x)
{
	return 0xc0de000000000000ULL | x * 0x0000010101010101ULL;
}

static void prepare(struct covh_frame *frame, const struct covh_regs *regs)
{
	unsigned int x;

	for (x = 0; x < 32; x++)
		frame->in[x] = pattern(x);
	for (x = 0; x < 6; x++)
		frame->in[X_A0 + x] = regs->args[x];
	frame->in[X_A6] = regs->fid;
	frame->in[X_A7] = regs->eid;
}

static u64 changed(const struct covh_frame *frame)
{
	u64 mask = 0;
	unsigned int x;

	for (x = 1; x < 32; x++)
		if (x != X_A0 && x != X_A0 + 1 && frame->in[x] != frame->out[x])
			mask |= 1ULL << x;
	return mask;
}

static void collect(const struct covh_frame *frame, struct covh_regs *regs)
{
	regs->error = frame->out[X_A0];
	regs->value = frame->out[X_A0 + 1];
	regs->scause = frame->scause;
	regs->stval = frame->stval;
	regs->changed = changed(frame);
	regs->time = frame->time1 - frame->time0;
	regs->instret = frame->instret1 - frame->instret0;
	regs->cpu = smp_processor_id();
}

/*
 * covh_ecall_irqs_off() - make one ECALL where interrupts are off already
 *
 * scause and stval are the TSM's words: nothing can come between.
 */
void covh_ecall_irqs_off(struct covh_regs *regs)
{
	struct covh_frame frame;

	lockdep_assert_irqs_disabled();
	prepare(&frame, regs);
	covh_ecall_guarded(&frame);
	collect(&frame, regs);
}

/* covh_ecall_exact() - make one ECALL with interrupts off around it */
void covh_ecall_exact(struct covh_regs *regs)
{
	unsigned long flags;

	local_irq_save(flags);
	covh_ecall_irqs_off(regs);
	local_irq_restore(flags);
}

/*
 * covh_ecall_interruptible() - make one ECALL that lets interrupts through
 *
 * A call that the TSM gives up for an interrupt is made again by returning to
 * the ECALL itself, so it must be found on the hart where it began. A fence in
 * an IPI on this CPU leaves it as it is; this driver makes no other call of the
 * TSM in an interrupt.
 */
void covh_ecall_interruptible(struct covh_regs *regs)
{
	struct covh_frame frame;

	prepare(&frame, regs);
	preempt_disable();
	covh_ecall_plain(&frame);
	collect(&frame, regs);
	preempt_enable();
}

/* covh_simple_call() - COVH function with two arguments; returns its error */
s64 covh_simple_call(u32 sdid, u32 fid, u64 a0, u64 a1)
{
	struct covh_regs regs = {
		.eid = COVE_EID_COVH,
		.fid = covh_a6(sdid, fid),
		.args = { a0, a1 },
	};

	covh_ecall_interruptible(&regs);
	return regs.error;
}
