// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"

bool pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* Looks before a waiting process gives way */
#define SPINS	2000

static sigjmp_buf fault_return;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(fault_return, 1);
}

bool read_faults(const volatile uint8_t *byte)
{
	struct sigaction action = { .sa_handler = on_fault };

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(fault_return, 1))
		return true;
	(void)*byte;
	return false;
}

bool wait_for(const uint64_t *word, uint64_t value)
{
	for (uint64_t spins = 0;
	     __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; spins++) {
		if (stop_requested())
			return false;
		/* With more harts than cores the others need the core. */
		if (spins > SPINS)
			usleep(100);
	}
	return true;
}

/** The answer is JSON with and without --json. */
void crew_parse(struct args *args, struct crew_options *options,
		bool with_guest)
{
	while (args_more(args)) {
		const char *word = args_word(args, "option");

		if (!strcmp(word, "--json"))
			continue;
		else if (!strcmp(word, "--rounds"))
			options->rounds = args_number(args, "--rounds");
		else if (!strcmp(word, "--arg"))
			options->arg = args_number(args, "--arg");
		else if (!strcmp(word, "--timeout"))
			options->timeout_s = args_number(args, "--timeout");
		else if (!strcmp(word, "--hold"))
			options->hold = true;
		else if (!strncmp(word, "--", 2) || options->path || !with_guest)
			usage_error("unexpected \"%s\"", word);
		else
			options->path = word;
	}
	if (with_guest && !options->path)
		usage_error("ELF is missing");
}

/** A place for a process on each CPU that this one may use. */
bool crew_prepare(struct crew *crew)
{
	cpu_set_t set;

	memset(crew, 0, sizeof(*crew));
	if (sched_getaffinity(0, sizeof(set), &set))
		return false;
	for (int cpu = 0; cpu < CPU_SETSIZE && crew->count < CREW_MAX; cpu++)
		if (CPU_ISSET(cpu, &set))
			crew->cpu[crew->count++] = cpu;
	crew->shared = mmap(NULL, sizeof(*crew->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew->shared != MAP_FAILED)
		return true;
	perror("tvm: mmap");
	return false;
}

void crew_fail(struct tally *tally, const char *format, ...)
{
	va_list list;

	if (tally->failures++)
		return;
	va_start(list, format);
	vsnprintf(tally->first, sizeof(tally->first), format, list);
	va_end(list);
}

static void __attribute__((noreturn))
live(struct crew *crew, unsigned int index,
     void (*work)(struct crew *crew, unsigned int index))
{
	if (pin_to(crew->cpu[index]))
		work(crew, index);
	else
		crew_fail(&crew->shared->tally[index], "CPU %d: %s",
			  crew->cpu[index], strerror(errno));
	fflush(NULL);
	_exit(0);
}

/** Let a process do the work on each CPU. */
void crew_start(struct crew *crew,
		void (*work)(struct crew *crew, unsigned int index))
{
	fflush(NULL);
	for (unsigned int i = 0; i < crew->count; i++) {
		crew->pid[i] = fork();
		if (!crew->pid[i])
			live(crew, i, work);
		if (crew->pid[i] < 0)
			crew_fail(&crew->shared->tally[i], "fork: %s",
				  strerror(errno));
	}
}

static void tell(const struct crew *crew, int number)
{
	for (unsigned int i = 0; i < crew->count; i++)
		if (crew->pid[i] > 0)
			kill(crew->pid[i], number);
}

/** Ask all processes to come to their end. */
void crew_stop(struct crew *crew)
{
	tell(crew, SIGTERM);
}

/**
 * Wait for the processes. Whoever is not back when the time is up will hardly
 * come back: it may sit in the kernel, waiting for another CPU for ever.
 * Returns false then.
 */
bool crew_wait(struct crew *crew)
{
	for (unsigned int i = 0; i < crew->count; i++) {
		int status = 0;

		while (crew->pid[i] > 0 &&
		       waitpid(crew->pid[i], &status, 0) < 0) {
			if (!stop_requested())
				continue;
			crew_fail(&crew->shared->tally[i], "CPU %d has not come to its end",
				  crew->cpu[i]);
			tell(crew, SIGKILL);
			return false;
		}
		crew->pid[i] = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			crew_fail(&crew->shared->tally[i], "the process on CPU %d died, status %#x",
				  crew->cpu[i], status);
	}
	return true;
}

struct tally crew_sum(const struct crew *crew)
{
	struct tally sum = {};

	for (unsigned int i = 0; i < crew->count; i++) {
		const struct tally *one = &crew->shared->tally[i];

		sum.rounds += one->rounds;
		sum.conversions += one->conversions;
		sum.fences += one->fences;
		sum.launches += one->launches;
		sum.crowded += one->crowded;
		sum.refused += one->refused;
		sum.failures += one->failures;
		if (one->failures && !sum.first[0])
			memcpy(sum.first, one->first, sizeof(sum.first));
	}
	return sum;
}

/** Print the sums, one JSON object. */
enum status crew_report(const struct crew *crew, bool ended)
{
	struct tally sum = crew_sum(crew);

	json_begin();
	json_unsigned("harts", crew->count);
	json_bool("ended", ended);
	json_unsigned("rounds", sum.rounds);
	json_unsigned("conversions", sum.conversions);
	json_unsigned("fences", sum.fences);
	json_unsigned("launches", sum.launches);
	json_unsigned("crowded", sum.crowded);
	json_unsigned("refused", sum.refused);
	json_unsigned("failures", sum.failures);
	json_string("first", sum.first);
	json_end();
	return ended && !sum.failures ? STATUS_OK : STATUS_FAILED;
}
