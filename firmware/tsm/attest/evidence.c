// SPDX-License-Identifier: BSD-2-Clause
/*
 * get_evidence. The work is done by a U-mode task, which takes many
 * milliseconds: the host's interrupts end its turn, and then the guest is left
 * as if it had not made its ECALL yet. When it runs again it makes the ECALL
 * again, and the task goes on where it was.
 */
#include "attest/attest.h"

#define EVIDENCE_ARGS	6

/* get_evidence of a vCPU that is not done yet */
static struct job {
	bool taken;
	/* Ids are never used twice, so nobody is mistaken for another. */
	u64 tvm;
	u32 vcpu;
	/* The task has been started for these */
	u64 args[EVIDENCE_ARGS];
} jobs[ARCH_TASKS];

/* Of which job is whose; a job itself belongs to its vCPU. */
static struct spinlock jobs_lock;

static const struct tsm_boot_info *boot;

void attest_init(const struct tsm_boot_info *info)
{
	memset(jobs, 0, sizeof(jobs));
	boot = info;
}

bool attest_possible(void)
{
	const struct tee_handover *handover = &boot->handover;

	return handover->magic == COVE_ATTEST_HANDOVER_MAGIC &&
	       handover->platform_size <= COVE_ATTEST_HANDOVER_TOKEN &&
	       handover->tsm_size <= COVE_ATTEST_HANDOVER_TOKEN;
}

void attest_registers(const struct tvm *tvm,
		      u8 registers[TASK_REGISTERS][DIGEST_SIZE])
{
	memcpy(registers, boot->handover.measurement,
	       sizeof(boot->handover.measurement));
	memcpy(registers[COVE_MEASUREMENT_TVM_PAGES], tvm->pages_digest,
	       DIGEST_SIZE);
	memcpy(registers[COVE_MEASUREMENT_TVM_ENTRY], tvm->entry_digest,
	       DIGEST_SIZE);
	memcpy(registers[COVE_MEASUREMENT_INITIAL], tvm->runtime_digest,
	       sizeof(tvm->runtime_digest));
}

static unsigned int jobs_of(u64 tvm)
{
	unsigned int i, count = 0;

	for (i = 0; i < ARCH_TASKS; i++)
		count += jobs[i].taken && jobs[i].tvm == tvm;
	return count;
}

/*
 * Nobody asks for it any more, because its TVM or vCPU is gone or has ended; or
 * its TVM has more tasks than the one that wants it would have then, and can
 * begin anew. A vCPU that is on a hart may be in its task at this moment, also
 * one whose TVM another vCPU has ended.
 */
static bool may_take(const struct job *job, u64 tvm)
{
	struct tvm *owner;
	s64 error = tvm_lock(job->tvm, &owner);
	enum vcpu_state state;
	bool down;

	if (error)
		return error == COVE_ERR_INVALID_PARAM;
	state = vcpu_find(owner, job->vcpu)->state;
	down = owner->down;
	tvm_unlock(owner);
	if (state == VCPU_RUNNING)
		return false;
	return down || state != VCPU_RUNNABLE ||
	       jobs_of(job->tvm) > jobs_of(tvm) + 1;
}

static bool mine(const struct job *job, const struct run *run)
{
	return job->taken && job->tvm == run->tvm->id &&
	       job->vcpu == run->vcpu->id;
}

/* The job that the vCPU has, a free one, another's, or NULL; jobs locked */
static struct job *find(const struct run *run)
{
	struct job *found = NULL;
	unsigned int i;

	for (i = 0; i < ARCH_TASKS; i++) {
		if (mine(&jobs[i], run))
			return &jobs[i];
		if (!found && !jobs[i].taken)
			found = &jobs[i];
	}
	for (i = 0; i < ARCH_TASKS && !found; i++)
		if (may_take(&jobs[i], run->tvm->id))
			found = &jobs[i];
	return found;
}

/* @param begun the task is at work for this very call */
static struct job *take(const struct run *run, bool *begun)
{
	const u64 *args = &run->vcpu->context.gpr[10];
	struct job *job;

	spin_lock(&jobs_lock);
	job = find(run);
	*begun = job && mine(job, run) &&
		 !memcmp(job->args, args, sizeof(job->args));
	if (job && !*begun) {
		job->taken = true;
		job->tvm = run->tvm->id;
		job->vcpu = run->vcpu->id;
		memcpy(job->args, args, sizeof(job->args));
	}
	spin_unlock(&jobs_lock);
	return job;
}

static enum after_trap finish(struct run *run, struct job *job, s64 error,
			      u64 value)
{
	arch_task_wipe(job - jobs);
	spin_lock(&jobs_lock);
	job->taken = false;
	spin_unlock(&jobs_lock);
	return run_answer(&run->vcpu->context, error, value);
}

/*
 * a0 = public key, a1 = its size, a2 = challenge, a3 = format, a4 = buffer,
 * a5 = room there
 */
static s64 check(struct tvm *tvm, const u64 *args)
{
	s64 error;

	if (!attest_possible())
		return COVE_ERR_NOT_SUPPORTED;
	if (!args[1] || args[1] > COVE_ATTEST_MAX_KEY ||
	    args[3] != COVE_ATTEST_FORMAT_CBOR || !args[5])
		return COVE_ERR_INVALID_PARAM;
	error = attest_check(tvm, args[0], args[1]);
	if (!error)
		error = attest_check(tvm, args[2],
				     COVE_ATTEST_CHALLENGE_SIZE);
	/* More room than evidence can take needs no pages behind it. */
	if (!error)
		error = attest_check(tvm, args[4],
				     min_u64(args[5],
					     COVE_ATTEST_MAX_EVIDENCE));
	return error;
}

static s64 request(struct tvm *tvm, struct task_request *request,
		   const u64 *args)
{
	s64 error;

	memcpy(request->cdi, boot->seed, sizeof(request->cdi));
	request->handover = boot->handover;
	request->key_size = args[1];
	error = attest_copy_in(tvm, request->key, args[0], args[1]);
	if (!error)
		error = attest_copy_in(tvm, request->challenge, args[2],
				       COVE_ATTEST_CHALLENGE_SIZE);
	tvm_relock(tvm);
	attest_registers(tvm, request->registers);
	memcpy(request->identity, tvm->identity, TVM_IDENTITY_SIZE);
	tvm_unlock(tvm);
	return error;
}

static s64 start(struct run *run, struct job *job)
{
	struct task_io *io;

	arch_task_wipe(job - jobs);
	io = arch_task_start(job - jobs);
	return request(run->tvm, &io->request, job->args);
}

/* What the task has written is looked at once, and nothing of it is believed. */
static enum after_trap deliver(struct run *run, struct job *job)
{
	const struct task_result *result =
		&arch_task_memory(job - jobs)->result;
	u64 size = result->size;
	s64 error;

	if (!size || size > sizeof(result->evidence))
		return finish(run, job, COVE_ERR_FAILED, 0);
	if (size > job->args[5])
		return finish(run, job, COVE_ERR_INVALID_PARAM, 0);
	error = attest_copy_out(run->tvm, job->args[4], result->evidence,
				size);
	return finish(run, job, error, error ? 0 : size);
}

/* The ECALL has not been made yet, as far as the guest can tell. */
static enum after_trap later(struct run *run, u64 cause)
{
	run->vcpu->context.sepc -= 4;
	return run_leave(run, cause, 0);
}

enum after_trap attest_get_evidence(struct run *run)
{
	s64 error = check(run->tvm, &run->vcpu->context.gpr[10]);
	struct job *job;
	bool begun;
	u64 cause;

	if (error)
		return run_status(&run->vcpu->context, error);
	job = take(run, &begun);
	if (!job)
		return run_status(&run->vcpu->context, COVE_ERR_BUSY);
	if (!begun)
		error = start(run, job);
	if (error)
		return finish(run, job, error, 0);
	switch (arch_task_run(job - jobs, &cause)) {
	case TASK_DONE:
		return deliver(run, job);
	case TASK_INTERRUPTED:
		return later(run, cause);
	default:
		return finish(run, job, COVE_ERR_FAILED, 0);
	}
}
