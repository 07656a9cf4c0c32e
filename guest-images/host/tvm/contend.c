// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm contend: all CPUs run the same vCPU as fast as they can. It may be on
 * one of them at a time. The guest (roam.elf) numbers its console calls, so a
 * vCPU that was on two CPUs at once says a number twice or leaves one out.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "crew.h"

#define SCAUSE_ECALL_VS	10
#define MAX_EXITS	32000

static struct crew_options options = { .timeout_s = 30 };

static struct tvm tvm;

/* Words that the processes share: an end, and how often each number came. */
enum { END, FIRST };

_Static_assert(FIRST + MAX_EXITS < sizeof(((struct shared *)0)->words) / sizeof(uint64_t),
	       "each number has a word");

static void note_exit(struct crew *crew, unsigned int index,
		      const struct covh_run *run)
{
	uint64_t number = run->gprs[0] >> 8;
	struct tally *tally = &crew->shared->tally[index];

	if (run->value) {
		__atomic_store_n(&crew->shared->words[END], 1, __ATOMIC_RELEASE);
		if (run->scause != SCAUSE_ECALL_VS || run->gprs[7] != COVE_EID_SRST)
			crew_fail(tally, "the guest died, scause %#llx",
				  (unsigned long long)run->scause);
	} else if (run->scause == SCAUSE_ECALL_VS && number <= MAX_EXITS) {
		tally->rounds++;
		__atomic_fetch_add(&crew->shared->words[FIRST + number], 1,
				   __ATOMIC_RELAXED);
	}
}

static void work(struct crew *crew, unsigned int index)
{
	struct tally *tally = &crew->shared->tally[index];
	struct covh_run run = {
		.sdid = tvm.sdid, .tvm = tvm.id, .max_interrupts = 1,
	};
	uint64_t refused = 0;

	while (!__atomic_load_n(&crew->shared->words[END], __ATOMIC_ACQUIRE) &&
	       !stop_requested()) {
		run.flags = COVH_RUN_REPLY;
		if (ioctl(tvm.fd, COVH_RUN, &run))
			continue;
		if (run.error == COVE_ERR_INVALID_PARAM) {
			refused++;
		} else if (!run.error) {
			/*
			 * A vCPU that has come to its end is refused too. This
			 * one had not, so another CPU was running it then.
			 */
			tally->refused += refused;
			refused = 0;
			note_exit(crew, index, &run);
		} else {
			crew_fail(tally, "run_tvm_vcpu: %s", error_name(run.error));
		}
	}
}

static void check_numbers(struct crew *crew)
{
	for (uint64_t i = 1; i <= options.arg; i++) {
		uint64_t times = crew->shared->words[FIRST + i];

		if (times != 1)
			crew_fail(&crew->shared->tally[0], "the guest made its exit %llu %llu times: the vCPU was on two CPUs at once",
				  (unsigned long long)i, (unsigned long long)times);
	}
}

enum status verb_contend(struct args *args)
{
	struct crew crew;
	char why[128];
	bool ended = false;

	crew_parse(args, &options, true);
	if (options.arg > MAX_EXITS)
		usage_error("--arg is at most %d", MAX_EXITS);
	stop_signals_install(options.timeout_s);
	events_quiet();
	if (!image_load(&tvm.image, options.path, why, sizeof(why)))
		usage_error("%s", why);
	tvm.fd = device_open();
	if (tvm.fd < 0 || !crew_prepare(&crew))
		return STATUS_FAILED;
	tvm.sdid = DEFAULT_SDID;
	tvm.arg = options.arg;
	if (tvm_launch(&tvm)) {
		crew_start(&crew, work);
		ended = crew_wait(&crew);
		check_numbers(&crew);
	} else {
		crew_fail(&crew.shared->tally[0], "launch: %s", error_name(tvm.error));
	}
	if (!tvm_teardown(&tvm))
		crew_fail(&crew.shared->tally[0], "teardown failed");
	return crew_report(&crew, ended);
}
