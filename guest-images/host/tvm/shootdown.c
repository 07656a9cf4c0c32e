// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm shootdown: a process with a thread on each CPU maps a page, all threads
 * read it, one closes it, and then nobody can read it any more. Meanwhile a
 * TVM runs on each CPU, so that the remote fences and the interrupts between
 * processors find the hart in the TSM or in a guest. With --hold all of it goes
 * on until SIGUSR1 comes, so that one can look at it first.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crew.h"

static struct crew_options options = { .rounds = 100, .timeout_s = 30 };

/* Words that the processes share: how many TVMs run, and: no more rounds */
enum { RUNNING, ENOUGH };

static void guest(struct crew *crew, unsigned int index)
{
	struct tally *tally = &crew->shared->tally[index];
	struct tvm tvm = { .sdid = DEFAULT_SDID, .patient = true };
	struct run_end end = {};
	char why[128];
	bool ok;

	if (!image_load(&tvm.image, options.path, why, sizeof(why))) {
		crew_fail(tally, "%s", why);
		return;
	}
	tvm.fd = device_open();
	ok = tvm.fd >= 0 && tvm_launch(&tvm);
	if (!ok)
		crew_fail(tally, "launch: %s", error_name(tvm.error));
	__atomic_fetch_add(&crew->shared->words[RUNNING], 1, __ATOMIC_ACQ_REL);
	if (ok) {
		tvm_run(&tvm, 0, &end);
		/* The guest never ends by itself: the signal did it. */
		if (strcmp(end.reason, "limit"))
			crew_fail(tally, "TVM %llu ended by %s",
				  (unsigned long long)tvm.id, end.reason);
		tally->launches++;
	}
	if (!tvm_teardown(&tvm))
		crew_fail(tally, "teardown of TVM %llu failed",
			  (unsigned long long)tvm.id);
	close(tvm.fd);
}

struct reader {
	pthread_t thread;
	struct tally *tally;
	int cpu;
	uint64_t stale;
	uint64_t missing;
};

static pthread_barrier_t barrier;
/* NULL: there is none any more, the rounds are over. */
static volatile uint8_t *volatile page;

static __thread sigjmp_buf fault_return;
static __thread volatile bool guarded;

static void on_fault(int number)
{
	if (guarded)
		siglongjmp(fault_return, 1);
	signal(number, SIG_DFL);
}

/* read_faults() of the crew is for one thread only. */
static bool faults(volatile uint8_t *byte)
{
	bool fault = true;

	guarded = true;
	if (!sigsetjmp(fault_return, 1)) {
		(void)*byte;
		fault = false;
	}
	guarded = false;
	return fault;
}

/* Everybody sleeps at the barriers: the hart is the TVM's until it is woken. */
static void *read_rounds(void *argument)
{
	struct reader *reader = argument;

	if (!pin_to(reader->cpu))
		crew_fail(reader->tally, "CPU %d went away", reader->cpu);
	for (;;) {
		pthread_barrier_wait(&barrier);
		if (!page)
			return NULL;
		reader->missing += faults(page);
		pthread_barrier_wait(&barrier);
		/* The page is being closed now, by the first thread. */
		pthread_barrier_wait(&barrier);
		reader->stale += !faults(page);
		pthread_barrier_wait(&barrier);
	}
}

static void *fresh_page(void)
{
	uint8_t *fresh = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fresh != MAP_FAILED)
		*fresh = 1;
	return fresh;
}

/* Three ways of taking a page from all harts. */
static void close_page(uint64_t round)
{
	if (round % 3 == 0)
		mprotect((void *)page, PAGE_SIZE, PROT_NONE);
	else if (round % 3 == 1)
		munmap((void *)page, PAGE_SIZE);
	else
		mmap((void *)page, PAGE_SIZE, PROT_NONE,
		     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void close_rounds(struct crew *crew)
{
	const uint64_t *enough = &crew->shared->words[ENOUGH];

	for (uint64_t i = 0; i < options.rounds ||
	     (options.hold && !__atomic_load_n(enough, __ATOMIC_ACQUIRE)); i++) {
		page = fresh_page();
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		close_page(i);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		if (i % 3 != 1)
			munmap((void *)page, PAGE_SIZE);
		crew->shared->tally[0].rounds++;
	}
	page = NULL;
	pthread_barrier_wait(&barrier);
}

static void shoot(struct crew *crew)
{
	struct sigaction action = { .sa_handler = on_fault };
	struct reader readers[CREW_MAX] = {};

	sigaction(SIGSEGV, &action, NULL);
	pthread_barrier_init(&barrier, NULL, crew->count + 1);
	for (unsigned int i = 0; i < crew->count; i++) {
		readers[i].tally = &crew->shared->tally[i];
		readers[i].cpu = crew->cpu[i];
		if (pthread_create(&readers[i].thread, NULL, read_rounds,
				   &readers[i])) {
			/* The others would wait at the barrier for ever. */
			perror("tvm: pthread_create");
			_exit(STATUS_FAILED);
		}
	}
	close_rounds(crew);
	for (unsigned int i = 0; i < crew->count; i++) {
		pthread_join(readers[i].thread, NULL);
		if (readers[i].stale)
			crew_fail(readers[i].tally, "CPU %d read a closed page %llu times: a remote fence was lost",
				  readers[i].cpu, (unsigned long long)readers[i].stale);
		if (readers[i].missing)
			crew_fail(readers[i].tally, "CPU %d could not read an open page",
				  readers[i].cpu);
	}
}

/* The shooting is a process of its own, so that one can give it up. */
static struct crew shooters;

static void shooter(struct crew *crew, unsigned int index)
{
	(void)crew;
	(void)index;
	shoot(&shooters);
}

/* Let the shooting go on until SIGUSR1 or, too late, the time limit. */
static void hold(void)
{
	while (!finish_requested() && !stop_requested())
		usleep(1000);
	__atomic_store_n(&shooters.shared->words[ENOUGH], 1, __ATOMIC_RELEASE);
}

enum status verb_shootdown(struct args *args)
{
	struct crew guests, one;
	bool ended;

	crew_parse(args, &options, true);
	events_quiet();
	stop_signals_install(options.timeout_s);
	if (!crew_prepare(&guests) || !crew_prepare(&shooters) ||
	    !crew_prepare(&one))
		return STATUS_FAILED;
	one.count = 1;
	crew_start(&guests, guest);
	ended = wait_for(&guests.shared->words[RUNNING], guests.count);
	if (ended) {
		crew_start(&one, shooter);
		if (options.hold)
			hold();
		ended = crew_wait(&one);
	}
	crew_stop(&guests);
	ended &= crew_wait(&guests);
	/* One answer for both. */
	for (unsigned int i = 0; i < guests.count; i++) {
		struct tally *tally = &shooters.shared->tally[i];

		tally->launches = guests.shared->tally[i].launches;
		if (guests.shared->tally[i].failures)
			crew_fail(tally, "%s", guests.shared->tally[i].first);
	}
	if (crew_sum(&one).failures)
		crew_fail(&shooters.shared->tally[0], "%s",
			  one.shared->tally[0].first);
	return crew_report(&shooters, ended);
}
