// SPDX-License-Identifier: BSD-2-Clause
/*
 * A vCPU that runs on another CPU while lines of a batch are made: between
 * `host run TVM VCPU` and `host stop`. It is run again whenever an interrupt of
 * the host ends a run.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"

/* Runs until an interrupt of the host in which the other CPU must have its turn */
#define MAX_RUNS	250
/* Looks at the other CPU for the first of them; as many more for each one after it */
#define LOOKS		1000

static struct beside {
	pthread_t thread;
	int fd;
	uint64_t args[2];
	bool runs;
	bool stop;
	/* How often the other CPU has called, and what ended that */
	uint64_t calls;
	bool ended;
	int64_t error;
} beside;

static int64_t run_once(const struct beside *what)
{
	return device_covh(what->fd, DEFAULT_SDID, COVE_COVH_RUN_TVM_VCPU,
			   what->args, 2, NULL);
}

static bool stopped(void)
{
	return __atomic_load_n(&beside.stop, __ATOMIC_ACQUIRE);
}

static void *run_all_the_time(void *arg)
{
	int64_t error = COVE_SUCCESS;

	(void)arg;
	/* Whoever waits for this vCPU may have it for a moment. */
	while (!stopped() &&
	       (!error || error == COVE_ERR_INVALID_PARAM)) {
		__atomic_fetch_add(&beside.calls, 1, __ATOMIC_RELEASE);
		error = run_once(&beside);
	}
	beside.error = error;
	__atomic_store_n(&beside.ended, true, __ATOMIC_RELEASE);
	return NULL;
}

/** Another CPU than this thread's for a thread; false when there is none. */
bool batch_elsewhere(pthread_attr_t *attr)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int here = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < online; cpu++)
		if (cpu != here)
			CPU_SET(cpu, &set);
	pthread_attr_setaffinity_np(attr, sizeof(set), &set);
	return CPU_COUNT(&set);
}

/*
 * This CPU had the vCPU: the other one comes first now. It has begun another
 * call, and has had time to get from there into the TSM. Longer each time:
 * interrupts that come to both at the same moments could have it miss the vCPU
 * in step with this CPU for ever. False when it calls no more.
 */
static bool stand_back(unsigned int runs)
{
	uint64_t calls = __atomic_load_n(&beside.calls, __ATOMIC_ACQUIRE);
	uint64_t looks = LOOKS * (runs + 1);

	while (looks) {
		if (__atomic_load_n(&beside.ended, __ATOMIC_ACQUIRE))
			return false;
		if (__atomic_load_n(&beside.calls, __ATOMIC_ACQUIRE) != calls)
			looks--;
	}
	return true;
}

/*
 * The vCPU is inside when this CPU is refused it. A TSM that never refuses it
 * runs it on both.
 */
static bool wait_until_inside(void)
{
	unsigned int runs = 0;
	int64_t error;

	do {
		error = run_once(&beside);
	} while (!error && stand_back(runs) && ++runs < MAX_RUNS);
	if (error == COVE_ERR_INVALID_PARAM)
		return true;
	if (runs == MAX_RUNS)
		fprintf(stderr, "tvm: host run: no CPU is ever refused the vCPU\n");
	else
		fprintf(stderr, "tvm: host run: the vCPU cannot be run: %s\n",
			error_name(error ? error : beside.error));
	return false;
}

static bool begin(struct args *args, int fd)
{
	pthread_attr_t attr;

	if (beside.runs)
		usage_error("a vCPU runs already: host stop");
	beside = (struct beside){ .fd = fd };
	for (unsigned int i = 0; i < 2; i++)
		beside.args[i] = batch_number(args_word(args, "TVM and VCPU"));
	pthread_attr_init(&attr);
	beside.runs = batch_elsewhere(&attr) &&
		      !pthread_create(&beside.thread, &attr, run_all_the_time,
				      NULL);
	pthread_attr_destroy(&attr);
	if (!beside.runs)
		fprintf(stderr, "tvm: host run needs another CPU online\n");
	return beside.runs && wait_until_inside();
}

static void end(void)
{
	if (!beside.runs)
		return;
	__atomic_store_n(&beside.stop, true, __ATOMIC_RELEASE);
	pthread_join(beside.thread, NULL);
	beside.runs = false;
}

/** Do what `host run` and `host stop` say; false when the line is neither. */
bool beside_line(struct args *args, int fd, bool *done)
{
	const char *what = args->words[args->next];

	if (strcmp(what, "run") && strcmp(what, "stop"))
		return false;
	args->next++;
	*done = true;
	if (!strcmp(what, "run"))
		*done = begin(args, fd);
	else
		end();
	return true;
}
