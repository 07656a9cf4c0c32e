// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm batch: many raw calls, one a line, each on the CPU that it names, and
 * the host's own reads and writes of memory between them. `--save N` keeps the
 * value of a call, and `$N` is that value in a later line: the id of a TVM is
 * the TSM's choice. --short answers with three numbers a line.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"

/* At most extension, function, six arguments, and the options twice over */
#define BATCH_WORDS	20
#define SLOTS		64

static uint64_t slots[SLOTS];

struct batch {
	FILE *file;
	int fd;
	bool brief;
	cpu_set_t anywhere;
	/* Where the tool is pinned to, -1: it is not. Moving costs a switch. */
	int64_t cpu;
};

static uint64_t slot_number(uint64_t number)
{
	if (number >= SLOTS)
		usage_error("values are saved in slots 0 to %d", SLOTS - 1);
	return number;
}

uint64_t batch_saved(const char *slot)
{
	return slots[slot_number(parse_number(slot, "slot"))];
}

static bool split(char *line, struct args *args, char *words[BATCH_WORDS])
{
	char *rest = NULL;

	*args = (struct args){ .words = words };
	for (char *word = strtok_r(line, " \t\n", &rest); word && *word != '#';
	     word = strtok_r(NULL, " \t\n", &rest)) {
		if (args->count == BATCH_WORDS)
			usage_error("a call has at most 6 arguments");
		words[args->count++] = word;
	}
	return args->count;
}

/* A call without --cpu is made wherever the tool was allowed to run first. */
static enum status move(struct batch *batch, int64_t cpu)
{
	if (cpu == batch->cpu)
		return STATUS_OK;
	batch->cpu = cpu;
	if (cpu >= 0)
		return call_pin(cpu) ? STATUS_OK : STATUS_USAGE;
	return sched_setaffinity(0, sizeof(batch->anywhere), &batch->anywhere) ?
		       STATUS_FAILED : STATUS_OK;
}

/* What a call that failed would have told is no id of anything. */
static void save(const struct call_options *options, const struct covh_call *call)
{
	if (options->save >= 0)
		slots[slot_number(options->save)] =
			call->error ? UINT64_MAX : call->value;
}

static void answer(const struct batch *batch, const struct call_options *options,
		   const struct covh_call *call)
{
	if (batch->brief)
		printf("%lld %#llx %#llx\n", (long long)call->error,
		       (unsigned long long)call->value,
		       (unsigned long long)call->scause);
	else
		call_print(options, call);
}

/* scause of a run that an interrupt of the host has ended */
#define SCAUSE_INTERRUPT	(1ULL << 63)

static bool make(int fd, const struct call_options *options,
		 struct covh_call *call)
{
	do {
		if (device_call(fd, call))
			return false;
	} while (options->again && !call->error && !call->value &&
		 (call->scause & SCAUSE_INTERRUPT));
	return true;
}

static enum status one_line(struct batch *batch, struct args *args)
{
	struct call_options options = { .save = -1 };
	struct covh_call call = {};
	enum status status;

	if (!strcmp(args->words[0], "host")) {
		args->next = 1;
		if (!memory_line(args, &call))
			return STATUS_FAILED;
		memcpy(options.args, call.args, sizeof(call.args));
	} else {
		call_parse(args, &options, &call);
		status = move(batch, options.cpu);
		if (status)
			return status;
		if (!make(batch->fd, &options, &call))
			return STATUS_FAILED;
		save(&options, &call);
	}
	answer(batch, &options, &call);
	return STATUS_OK;
}

static enum status all_lines(struct batch *batch)
{
	enum status status = STATUS_OK;
	char *words[BATCH_WORDS];
	char *line = NULL;
	size_t size = 0;
	struct args args;

	if (sched_getaffinity(0, sizeof(batch->anywhere), &batch->anywhere))
		return STATUS_FAILED;
	for (unsigned long number = 1;
	     status == STATUS_OK && getline(&line, &size, batch->file) >= 0;
	     number++) {
		usage_line(number);
		if (split(line, &args, words))
			status = one_line(batch, &args);
	}
	free(line);
	return ferror(batch->file) && status == STATUS_OK ? STATUS_FAILED : status;
}

static void parse(struct args *args, struct batch *batch, const char **path)
{
	while (args_more(args)) {
		const char *word = args_word(args, "file");

		if (!strcmp(word, "--short"))
			batch->brief = true;
		else if (*path)
			usage_error("batch takes one file");
		else
			*path = word;
	}
}

enum status verb_batch(struct args *args)
{
	struct batch batch = { .cpu = -1 };
	const char *path = NULL;
	enum status status;

	parse(args, &batch, &path);
	batch.file = path && strcmp(path, "-") ? fopen(path, "r") : stdin;
	if (!batch.file) {
		perror(path);
		return STATUS_USAGE;
	}
	batch.fd = device_open();
	if (batch.fd < 0)
		return STATUS_FAILED;
	status = all_lines(&batch);
	close(batch.fd);
	if (batch.file != stdin)
		fclose(batch.file);
	return status;
}
