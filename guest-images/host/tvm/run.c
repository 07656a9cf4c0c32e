// SPDX-License-Identifier: BSD-2-Clause
/*
 * The run loop of user space: console and end of the guest.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tvm.h"

#define SCAUSE_ECALL_VS		10
#define SRST_SHUTDOWN		0

/*
 * The driver comes back after so many host interrupts at the latest: a signal
 * that arrives just before the ioctl would otherwise wait for the guest.
 */
#define INTERRUPTS_A_TURN	64

enum { A0, A1, A2, A3, A4, A5, A6, A7 };

static void reply(struct covh_run *run, int64_t error, uint64_t value)
{
	run->reply[0] = error;
	run->reply[1] = value;
	run->flags |= COVH_RUN_REPLY;
}

/* The bytes came with the exit: there is no memory that such a guest shares. */
static void console_write(struct covh_run *run)
{
	uint64_t count = run->gprs[A0];

	if (run->gprs[A1] != ~0ULL || count > sizeof(run->data)) {
		reply(run, COVE_ERR_INVALID_PARAM, 0);
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		event_console(run->data[i]);
	reply(run, COVE_SUCCESS, count);
}

/* A call that the TSM forwarded. What we do not offer is refused to the guest. */
static void answer_call(struct covh_run *run)
{
	uint64_t eid = run->gprs[A7];

	if (eid == COVE_EID_LEGACY_PUTCHAR ||
	    (eid == COVE_EID_DBCN &&
	     run->gprs[A6] == COVE_DBCN_CONSOLE_WRITE_BYTE)) {
		event_console(run->gprs[A0]);
		reply(run, COVE_SUCCESS, finish_requested());
	} else if (eid == COVE_EID_DBCN &&
		   run->gprs[A6] == COVE_DBCN_CONSOLE_WRITE) {
		console_write(run);
	} else {
		reply(run, COVE_ERR_NOT_SUPPORTED, 0);
	}
}

static const char *end_of_vcpu(const struct covh_run *run)
{
	if (run->scause != SCAUSE_ECALL_VS || run->gprs[A7] != COVE_EID_SRST)
		return "fault";
	return run->gprs[A0] == SRST_SHUTDOWN ? "shutdown" : "reboot";
}

/* Returns why the run is over, NULL when the guest goes on. */
static const char *handle_exit(struct covh_run *run)
{
	if (run->error)
		return "error";
	if (run->value)
		return end_of_vcpu(run);
	if (run->scause != SCAUSE_ECALL_VS)
		return "fault";
	answer_call(run);
	return NULL;
}

static uint64_t turns_left(const struct run_end *end, uint64_t max_exits)
{
	uint64_t done = end->exits + end->interrupts;
	uint64_t left = max_exits > done ? max_exits - done : 0;

	if (!max_exits || left > INTERRUPTS_A_TURN)
		return INTERRUPTS_A_TURN;
	return left;
}

static const char *one_turn(struct tvm *tvm, struct run_end *end,
			    uint64_t max_exits)
{
	struct covh_run *run = &end->last;
	int error;

	run->max_interrupts = turns_left(end, max_exits);
	if (stop_requested() || !run->max_interrupts)
		return "limit";
	if (tvm->roams)
		roam(run);
	error = ioctl(tvm->fd, COVH_RUN, run) ? errno : 0;
	end->interrupts += run->interrupts;
	if (error == EINTR || error == ETIME)
		return NULL;
	if (error) {
		run->error = COVE_ERR_FAILED;
		event_error("run_tvm_vcpu", run->error, "%s", error == EOPNOTSUPP ?
			    "the firmware takes no NACL shared memory" :
			    strerror(error));
		return "error";
	}
	end->exits++;
	if (tvm->yield)
		sched_yield();
	return handle_exit(run);
}

/**
 * Run the boot vCPU until the guest ends or a limit is reached.
 * @max_exits: bound of exits and host interrupts together, 0: none
 * Returns true when the guest ended by its own will.
 */
bool tvm_run(struct tvm *tvm, uint64_t max_exits, struct run_end *end)
{
	memset(end, 0, sizeof(*end));
	end->last.sdid = tvm->sdid;
	end->last.tvm = tvm->id;
	if (tvm->in_ipi) {
		end->last.flags = COVH_RUN_ON_CPU;
		end->last.cpu = tvm->on_cpu;
	}
	while (!end->reason)
		end->reason = one_turn(tvm, end, max_exits);
	event_exit(end);
	return !strcmp(end->reason, "shutdown") || !strcmp(end->reason, "reboot");
}
