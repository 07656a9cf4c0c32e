// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm call: one ECALL and everything that is seen of it.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"

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

static void parse_flip(struct args *args, struct call_options *options)
{
	options->flip = true;
	options->flip_addr = args_number(args, "--flip ADDR");
	options->flip_value = args_number(args, "--flip VALUE");
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
		else if (!strcmp(word, "--again"))
			options->again = true;
		else if (!strcmp(word, "--save"))
			options->save = args_number(args, "--save");
		else if (!strcmp(word, "--flip"))
			parse_flip(args, options);
		else if (options->count == 6)
			usage_error("a call has at most 6 arguments");
		else
			options->args[options->count++] = batch_number(word);
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

void call_print(const struct call_options *options, const struct covh_call *call)
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

void call_parse(struct args *args, struct call_options *options,
		struct covh_call *call)
{
	*options = (struct call_options){ .sdid = DEFAULT_SDID, .cpu = -1, .save = -1 };
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

	call_parse(args, &options, &call);
	if (!pin(options.cpu))
		return STATUS_USAGE;
	fd = device_open();
	if (fd < 0 || device_call(fd, &call))
		return STATUS_FAILED;
	if (options.json)
		call_print(&options, &call);
	else
		print_text(&call);
	close(fd);
	return STATUS_OK;
}
