// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm batch: many raw calls, one a line, each on the CPU that it names (or that
 * of the line before), and the host's own reads and writes of memory between
 * them. `--save N` keeps the value of a call, and `$N` is that value in a later
 * line: the id of a TVM is the TSM's choice. With `--flip ADDR VALUE` another
 * CPU writes VALUE, and what was there, to ADDR in turn while the call is made;
 * between `host run TVM VCPU` and `host stop` it runs that vCPU. `host raced` is
 * how many of the calls with --flip it really wrote beside: where CPUs share a
 * core, the other one may have none while the call is made.
 * --short answers with three numbers a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"

#define SLOTS		64

static uint64_t slots[SLOTS];

static uint64_t slot_number(uint64_t number)
{
	if (number >= SLOTS)
		usage_error("values are saved in slots 0 to %d", SLOTS - 1);
	return number;
}

uint64_t batch_number(const char *word)
{
	if (word[0] != '$')
		return parse_number(word, "argument");
	return slots[slot_number(parse_number(word + 1, "slot"))];
}

static bool split(struct batch *batch, char *text)
{
	char *rest = NULL;

	batch->args = (struct args){ .words = batch->words };
	for (char *word = strtok_r(text, " \t\n", &rest);
	     word && *word != '#'; word = strtok_r(NULL, " \t\n", &rest)) {
		if (batch->args.count == BATCH_WORDS)
			usage_error("a call has at most 6 arguments");
		batch->words[batch->args.count++] = word;
	}
	return batch->args.count;
}

/* What a call that failed would have told is no id of anything. */
static void save(const struct call_options *options, const struct covh_call *call)
{
	if (options->save >= 0)
		slots[slot_number(options->save)] =
			call->error ? UINT64_MAX : call->value;
}

static void answer(const struct batch *batch)
{
	const struct covh_call *call = &batch->call;

	if (batch->brief)
		printf("%lld %#llx %#llx\n", (long long)call->error,
		       (unsigned long long)call->value,
		       (unsigned long long)call->scause);
	else
		call_print(&batch->options, call);
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

static bool make_flipped(struct batch *batch)
{
	bool made;

	if (!batch->options.flip)
		return make(batch->fd, &batch->options, &batch->call);
	if (!flip_begin(batch->fd, &batch->options))
		return false;
	made = make(batch->fd, &batch->options, &batch->call);
	flip_end();
	return made;
}

static enum status call_line(struct batch *batch)
{
	if (!make_flipped(batch))
		return STATUS_FAILED;
	save(&batch->options, &batch->call);
	answer(batch);
	return STATUS_OK;
}

static enum status host_line(struct batch *batch)
{
	bool done = true;

	batch->args.next = 1;
	batch->call = (struct covh_call){};
	if (batch->args.count < 2)
		usage_error("what the host does is missing");
	if (!flip_line(&batch->args, &batch->call) &&
	    !beside_line(&batch->args, batch->fd, &done))
		done = memory_line(&batch->args, &batch->call);
	if (!done)
		return STATUS_FAILED;
	batch->options = (struct call_options){ .save = -1 };
	memcpy(batch->options.args, batch->call.args, sizeof(batch->call.args));
	answer(batch);
	return STATUS_OK;
}

/* What is wrong with the number is said when it is this line's turn. */
static int64_t cpu_of(const char *text)
{
	static const char option[] = " --cpu ";
	const char *found = strstr(text, option);

	return found ? strtoll(found + sizeof(option) - 1, NULL, 0) : -1;
}

static bool read_line(struct batch *batch)
{
	struct batch_line line = {};
	size_t size = 0;

	if (getline(&line.text, &size, batch->file) < 0) {
		free(line.text);
		batch->whole = true;
		return false;
	}
	line.cpu = cpu_of(line.text);
	if (batch->count - batch->first == batch->room) {
		batch->room = 2 * batch->room + 1;
		batch->lines = reallocarray(batch->lines, batch->room,
					    sizeof(*batch->lines));
		if (!batch->lines) {
			perror("tvm: batch");
			exit(STATUS_FAILED);
		}
	}
	batch->lines[batch->count++ - batch->first] = line;
	return true;
}

/*
 * All lines of a file are known before the first is made: which hart is needed
 * next is no surprise. What comes through a pipe may have no end.
 */
static void read_ahead(struct batch *batch)
{
	struct stat status;

	if (fstat(fileno(batch->file), &status) || !S_ISREG(status.st_mode))
		return;
	while (read_line(batch))
		;
}

/* Read a line in the place of those that were made. */
static bool read_next(struct batch *batch)
{
	if (batch->whole)
		return false;
	while (batch->first < batch->count)
		free(batch->lines[--batch->count - batch->first].text);
	batch->first = batch->count = batch->number;
	return read_line(batch);
}

/* Take a line that says something; false when there are no more. */
static bool next_line(struct batch *batch)
{
	do {
		if (batch->number == batch->count && !read_next(batch))
			return false;
		usage_line(++batch->number);
	} while (!split(batch, batch->lines[batch->number - 1 - batch->first].text));
	return true;
}

int64_t batch_cpu_after(const struct batch *batch, unsigned long lines)
{
	unsigned long next = batch->number - 1 + lines;

	return next < batch->count ? batch->lines[next - batch->first].cpu : -1;
}

static bool is_elsewhere(struct batch *batch, int64_t cpu)
{
	return batch->options.cpu >= 0 && batch->options.cpu != cpu;
}

int64_t batch_lines(struct batch *batch, int64_t cpu)
{
	while (batch->status == STATUS_OK) {
		if (!batch->waits && !next_line(batch))
			break;
		if (!batch->waits && !strcmp(batch->words[0], "host")) {
			batch->status = host_line(batch);
			continue;
		}
		if (!batch->waits)
			call_parse(&batch->args, &batch->options, &batch->call);
		batch->waits = is_elsewhere(batch, cpu);
		batch_announce(batch, cpu);
		if (!batch->waits)
			batch->status = call_line(batch);
		else if (batch_seat(batch, batch->options.cpu))
			return batch->options.cpu;
		else
			batch->status = STATUS_USAGE;
	}
	return -1;
}

static enum status all_lines(struct batch *batch)
{
	int64_t cpu;

	read_ahead(batch);
	cpu = batch_lines(batch, -1);
	if (cpu >= 0)
		batch_pass(cpu);
	if (ferror(batch->file) && batch->status == STATUS_OK)
		return STATUS_FAILED;
	return batch->status;
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
	struct batch batch = {};
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
