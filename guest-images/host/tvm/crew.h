/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that goes on on several CPUs at once: a process for each, pinned.
 * Processes and not threads, because launching a TVM keeps its state in
 * variables of the program.
 */
#ifndef TVM_CREW_H
#define TVM_CREW_H

#include "tvm.h"

/* As many as the firmware knows harts */
#define CREW_MAX	COVE_MAX_HARTS

/* What one process has done; the sums are the verb's answer */
struct tally {
	uint64_t rounds;
	uint64_t conversions;
	uint64_t fences;
	uint64_t launches;
	/* Refused for want of isolation entries, and tried again */
	uint64_t crowded;
	/* Calls that the TSM had to refuse, and did */
	uint64_t refused;
	uint64_t failures;
	/* The first failure, in words */
	char first[160];
};

struct crew {
	unsigned int count;
	int cpu[CREW_MAX];
	/* Everything from here on is shared by the processes */
	struct shared {
		struct tally tally[CREW_MAX];
		/* Of the work; all zero at first */
		uint64_t words[32768];
	} *shared;
	pid_t pid[CREW_MAX];
};

/* What the verbs can be told */
struct crew_options {
	/* The guest; NULL for a verb that takes none */
	const char *path;
	uint64_t rounds;
	/* The guest's argument */
	uint64_t arg;
	uint64_t timeout_s;
	/* Go on until SIGUSR1 */
	bool hold;
};

/* crew.c */
void crew_parse(struct args *args, struct crew_options *options,
		bool with_guest);
bool crew_prepare(struct crew *crew);
void crew_start(struct crew *crew,
		void (*work)(struct crew *crew, unsigned int index));
void crew_stop(struct crew *crew);
bool crew_wait(struct crew *crew);
struct tally crew_sum(const struct crew *crew);
enum status crew_report(const struct crew *crew, bool ended);
void crew_fail(struct tally *tally, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool pin_to(int cpu);
/* Does a read of this mapped byte fault? */
bool read_faults(const volatile uint8_t *byte);
/* The word has this value at last; false when a signal ends the wait */
bool wait_for(const uint64_t *word, uint64_t value);

#endif
