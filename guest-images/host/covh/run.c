// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The run loop: a vCPU runs until something is left that user space decides.
 */
#include <linux/completion.h>
#include <linux/irqflags.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <asm/csr.h>

#include "covh.h"

#define SCAUSE_INTERRUPT	(1ULL << 63)
#define SCAUSE_ECALL_VS		10
#define CSR_NUMBER_VSTIMECMP	0x24d
#define CSR_NUMBER_HTIMEDELTA	0x605
#define CSR_NUMBER_HTVAL	0x643
#define CSR_NUMBER_HVIP		0x645
#define CSR_NUMBER_HTINST	0x64a
#define X_A0			10
#define X_A7			17

static u64 *nacl_gpr(void *shmem, unsigned int x)
{
	return shmem + COVE_NACL_GPRS_OFFSET + 8 * x;
}

static u64 *nacl_csr(void *shmem, unsigned int csr)
{
	return shmem + COVE_NACL_CSRS_OFFSET +
	       8 * ((csr & 0xc00) >> 2 | (csr & 0xff));
}

static_assert(COVH_RUN_DATA_SIZE == COVE_NACL_CONSOLE_SIZE);

static void give_reply(struct covh_run *run, void *shmem)
{
	*nacl_csr(shmem, CSR_NUMBER_HVIP) = run->hvip;
	if (run->flags & COVH_RUN_DATA)
		memcpy(shmem + COVE_NACL_CONSOLE_OFFSET, run->data,
		       sizeof(run->data));
	run->flags &= ~COVH_RUN_DATA;
	if (!(run->flags & COVH_RUN_REPLY))
		return;
	*nacl_gpr(shmem, X_A0) = run->reply[0];
	*nacl_gpr(shmem, X_A0 + 1) = run->reply[1];
	run->flags &= ~COVH_RUN_REPLY;
}

static void take_exit(struct covh_run *run, void *shmem,
		      const struct covh_regs *regs)
{
	unsigned int i;

	run->error = regs->error;
	run->value = regs->value;
	run->scause = regs->scause;
	run->stval = regs->stval;
	run->ticks += regs->time;
	run->instret += regs->instret;
	run->htval = *nacl_csr(shmem, CSR_NUMBER_HTVAL);
	run->htinst = *nacl_csr(shmem, CSR_NUMBER_HTINST);
	run->vstimecmp = *nacl_csr(shmem, CSR_NUMBER_VSTIMECMP);
	run->htimedelta = *nacl_csr(shmem, CSR_NUMBER_HTIMEDELTA);
	for (i = 0; i < 8; i++)
		run->gprs[i] = *nacl_gpr(shmem, X_A0 + i);
	if (run->scause == SCAUSE_ECALL_VS &&
	    *nacl_gpr(shmem, X_A7) == COVE_EID_DBCN)
		memcpy(run->data, shmem + COVE_NACL_CONSOLE_OFFSET,
		       sizeof(run->data));
}

/*
 * Interrupts stay off from the reply to the last word of the exit: the shared
 * memory, scause and stval all belong to this CPU and this call.
 */
static int run_once(struct covh_run *run)
{
	struct covh_regs regs = {
		.eid = COVE_EID_COVH,
		.fid = covh_a6(run->sdid, COVE_COVH_RUN_TVM_VCPU),
		.args = { run->tvm, run->vcpu },
	};
	unsigned long flags;
	void *shmem;

	local_irq_save(flags);
	shmem = covh_nacl_here();
	if (shmem) {
		give_reply(run, shmem);
		run->hgatp = csr_read(CSR_HGATP);
		covh_ecall_irqs_off(&regs);
		take_exit(run, shmem, &regs);
	}
	local_irq_restore(flags);
	return shmem ? 0 : -EOPNOTSUPP;
}

struct remote_run {
	struct covh_run *run;
	struct completion done;
	int ret;
};

static void run_in_ipi(void *info)
{
	struct remote_run *remote = info;

	remote->ret = run_once(remote->run);
	complete(&remote->done);
}

/*
 * The IPI may come while that CPU runs a guest of KVM. Then KVM has all of its
 * guest's state in the hart, and every bit of it has to outlast the TEECALL.
 * This CPU sleeps meanwhile: spinning would cost an emulated hart its time.
 */
static int run_where_asked(struct covh_run *run)
{
	struct remote_run remote = { .run = run };
	call_single_data_t call;
	int ret;

	if (!(run->flags & COVH_RUN_ON_CPU))
		return run_once(run);
	init_completion(&remote.done);
	INIT_CSD(&call, run_in_ipi, &remote);
	ret = smp_call_function_single_async(run->cpu, &call);
	if (ret)
		return ret;
	/* The IPI comes for sure, and both objects are on this stack. */
	wait_for_completion(&remote.done);
	return remote.ret;
}

static bool left_for_host_interrupt(const struct covh_run *run)
{
	return run->error == COVE_SUCCESS && run->value == 0 &&
	       (run->scause & SCAUSE_INTERRUPT);
}

static int run_loop(struct covh_run *run)
{
	int ret;

	for (;;) {
		if (signal_pending(current))
			return -EINTR;
		ret = run_where_asked(run);
		if (ret || !left_for_host_interrupt(run))
			return ret;
		run->interrupts++;
		if (run->max_interrupts && run->interrupts >= run->max_interrupts)
			return -ETIME;
		cond_resched();
	}
}

static bool valid(const struct covh_run *run)
{
	u32 known = COVH_RUN_REPLY | COVH_RUN_ON_CPU | COVH_RUN_DATA;

	if (run->sdid > COVE_A6_SDID_MASK || (run->flags & ~known) ||
	    run->reserved)
		return false;
	return run->flags & COVH_RUN_ON_CPU ? run->cpu < nr_cpu_ids : !run->cpu;
}

long covh_ioctl_run(void __user *argp)
{
	struct covh_run run;
	int ret;

	if (copy_from_user(&run, argp, sizeof(run)))
		return -EFAULT;
	if (!valid(&run))
		return -EINVAL;
	run.interrupts = 0;
	run.ticks = 0;
	run.instret = 0;
	ret = run_loop(&run);
	return copy_to_user(argp, &run, sizeof(run)) ? -EFAULT : ret;
}
