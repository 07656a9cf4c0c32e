// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm run: the whole life of one TVM.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tvm.h"

struct run_options {
	const char *path;
	const char *hold;
	uint64_t arg;
	uint64_t sdid;
	uint64_t max_exits;
	uint64_t timeout_s;
	int64_t on_cpu;
	bool json;
	bool yield;
	bool roams;
};

static void parse(struct args *args, struct run_options *options)
{
	while (args_more(args)) {
		const char *word = args_word(args, "ELF");

		if (!strcmp(word, "--json"))
			options->json = true;
		else if (!strcmp(word, "--arg"))
			options->arg = args_number(args, "--arg");
		else if (!strcmp(word, "--sdid"))
			options->sdid = args_number(args, "--sdid");
		else if (!strcmp(word, "--hold"))
			options->hold = args_word(args, "NAME of --hold");
		else if (!strcmp(word, "--max-exits"))
			options->max_exits = args_number(args, "--max-exits");
		else if (!strcmp(word, "--on-cpu"))
			options->on_cpu = args_number(args, "--on-cpu");
		else if (!strcmp(word, "--yield"))
			options->yield = true;
		else if (!strcmp(word, "--timeout"))
			options->timeout_s = args_number(args, "--timeout");
		else if (!strcmp(word, "--roam"))
			options->roams = true;
		else if (!strncmp(word, "--", 2) || options->path)
			usage_error("unexpected \"%s\"", word);
		else
			options->path = word;
	}
	if (!options->path)
		usage_error("ELF is missing");
	if (options->sdid > COVE_A6_SDID_MASK)
		usage_error("--sdid is at most %d", COVE_A6_SDID_MASK);
	if (options->on_cpu < -1 || options->on_cpu > INT32_MAX)
		usage_error("--on-cpu: no such CPU");
}

static enum status load_image(struct tvm *tvm, const char *path)
{
	char why[256];

	if (image_load(&tvm->image, path, why, sizeof(why)))
		return STATUS_OK;
	event_error("elf", COVE_ERR_INVALID_PARAM, "%s", why);
	return STATUS_USAGE;
}

/* Once something was begun, the way back is always gone to its end. */
static enum status live(struct tvm *tvm, const struct run_options *options)
{
	struct run_end end;
	bool ok = tvm_launch(tvm) && tvm_run(tvm, options->max_exits, &end);
	bool held = tvm->created && options->hold &&
		    !hold_in_background(options->hold,
					ok ? STATUS_OK : STATUS_FAILED);
	enum status status;

	ok &= tvm_teardown(tvm);
	status = ok ? STATUS_OK : STATUS_FAILED;
	if (held)
		hold_finish(status);
	return status;
}

enum status verb_run(struct args *args)
{
	struct run_options options = { .sdid = DEFAULT_SDID, .on_cpu = -1 };
	struct tvm tvm = {};
	enum status status;

	parse(args, &options);
	events_as_json(options.json);
	status = load_image(&tvm, options.path);
	if (status)
		return status;
	if (options.hold && !hold_prepare(options.hold))
		return STATUS_FAILED;
	tvm.fd = device_open();
	if (tvm.fd < 0)
		return STATUS_FAILED;
	tvm.sdid = options.sdid;
	tvm.arg = options.arg;
	tvm.in_ipi = options.on_cpu >= 0;
	tvm.on_cpu = tvm.in_ipi ? options.on_cpu : 0;
	tvm.yield = options.yield;
	tvm.roams = options.roams;
	stop_signals_install(options.timeout_s);
	status = live(&tvm, &options);
	close(tvm.fd);
	return status;
}
