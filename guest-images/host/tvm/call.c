// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm call: one ECALL and everything that is seen of it. tvm batch: many.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tvm.h"

struct call_options {
	uint64_t eid;
	uint64_t fid;
	uint64_t sdid;
	uint64_t args[6];
	size_t count;
	int64_t cpu;
	bool json;
};

static bool looks_like_number(const char *word)
{
	return isdigit((unsigned char)*word);
}

static void parse_target(struct args *args, struct call_options *options)
{
	const char *ext = args_word(args, "extension");
	const char *function;

	if (!extension_by_name(ext, &options->eid)) {
		if (!looks_like_number(ext))
			usage_error("no extension \"%s\"", ext);
		options->eid = parse_number(ext, "extension");
	}
	function = args_word(args, "function");
	if (!function_by_name(options->eid, function, &options->fid)) {
		if (!looks_like_number(function))
			usage_error("no function \"%s\" in %s", function, ext);
		options->fid = parse_number(function, "function");
	}
}

static void parse_rest(struct args *args, struct call_options *options)
{
	while (args_more(args)) {
		const char *word = args_word(args, "argument");

		if (!strcmp(word, "--json"))
			options->json = true;
		else if (!strcmp(word, "--sdid"))
			options->sdid = args_number(args, "--sdid");
		else if (!strcmp(word, "--cpu"))
			options->cpu = args_number(args, "--cpu");
		else if (options->count == 6)
			usage_error("a call has at most 6 arguments");
		else
			options->args[options->count++] =
				parse_number(word, "argument");
	}
	if (options->sdid > COVE_A6_SDID_MASK)
		usage_error("--sdid is at most %d", COVE_A6_SDID_MASK);
}

static bool pin(int64_t cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return true;
	CPU_ZERO(&set);
	if (cpu < CPU_SETSIZE)
		CPU_SET(cpu, &set);
	if (!sched_setaffinity(0, sizeof(set), &set))
		return true;
	fprintf(stderr, "tvm: --cpu %" PRId64 ": no such CPU online\n", cpu);
	return false;
}

static void print_json(const struct call_options *options,
		       const struct covh_call *call)
{
	json_begin();
	json_unsigned("eid", options->eid);
	json_unsigned("fid", options->fid);
	json_array_begin("args");
	for (size_t i = 0; i < 6; i++)
		json_item_unsigned(call->args[i]);
	json_array_end();
	json_signed("error", call->error);
	json_unsigned("value", call->value);
	json_unsigned("scause", call->scause);
	json_unsigned("stval", call->stval);
	json_unsigned("changed_gprs", call->changed_gprs);
	json_unsigned("time", call->time);
	json_unsigned("instret", call->instret);
	json_end();
}

static void print_text(const struct covh_call *call)
{
	printf("error %lld (%s), value %#llx, scause %#llx, stval %#llx, changed_gprs %#llx, %llu ticks, %llu instructions, cpu %u\n",
	       (long long)call->error, error_name(call->error),
	       (unsigned long long)call->value, (unsigned long long)call->scause,
	       (unsigned long long)call->stval,
	       (unsigned long long)call->changed_gprs,
	       (unsigned long long)call->time, (unsigned long long)call->instret,
	       call->cpu);
}

static void parse_call(struct args *args, struct call_options *options,
		       struct covh_call *call)
{
	*options = (struct call_options){ .sdid = DEFAULT_SDID, .cpu = -1 };
	parse_target(args, options);
	parse_rest(args, options);
	*call = (struct covh_call){ .eid = options->eid, .fid = options->fid };
	if (has_sdid(options->eid))
		call->fid |= options->sdid << COVE_A6_SDID_SHIFT;
	memcpy(call->args, options->args, sizeof(call->args));
}

enum status verb_call(struct args *args)
{
	struct call_options options;
	struct covh_call call;
	int fd;

	parse_call(args, &options, &call);
	if (!pin(options.cpu))
		return STATUS_USAGE;
	fd = device_open();
	if (fd < 0 || device_call(fd, &call))
		return STATUS_FAILED;
	if (options.json)
		print_json(&options, &call);
	else
		print_text(&call);
	close(fd);
	return STATUS_OK;
}

/* At most extension, function, six arguments, and the options twice over */
#define BATCH_WORDS	20

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
static enum status batch_call(int fd, struct args *args,
			      const cpu_set_t *anywhere)
{
	struct call_options options;
	struct covh_call call;

	parse_call(args, &options, &call);
	if (options.cpu < 0 && sched_setaffinity(0, sizeof(*anywhere), anywhere))
		return STATUS_FAILED;
	if (!pin(options.cpu))
		return STATUS_USAGE;
	if (device_call(fd, &call))
		return STATUS_FAILED;
	print_json(&options, &call);
	return STATUS_OK;
}

static enum status batch(FILE *file, int fd)
{
	enum status status = STATUS_OK;
	char *words[BATCH_WORDS];
	char *line = NULL;
	size_t size = 0;
	cpu_set_t anywhere;
	struct args args;

	if (sched_getaffinity(0, sizeof(anywhere), &anywhere))
		return STATUS_FAILED;
	for (unsigned long number = 1;
	     status == STATUS_OK && getline(&line, &size, file) >= 0; number++) {
		usage_line(number);
		if (split(line, &args, words))
			status = batch_call(fd, &args, &anywhere);
	}
	free(line);
	return ferror(file) && status == STATUS_OK ? STATUS_FAILED : status;
}

enum status verb_batch(struct args *args)
{
	const char *path = args_more(args) ? args_word(args, "file") : "-";
	FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;
	enum status status;
	int fd;

	if (args_more(args))
		usage_error("batch takes one file");
	if (!file) {
		perror(path);
		return STATUS_USAGE;
	}
	fd = device_open();
	if (fd < 0)
		return STATUS_FAILED;
	status = batch(file, fd);
	close(fd);
	if (file != stdin)
		fclose(file);
	return status;
}
