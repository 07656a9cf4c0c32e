// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "kvm.h"

static const char usage[] =
"usage: kvm run ELF [--arg N] [--json] [--timeout SECONDS] [--yield]\n"
"          run a guest image as a plain guest of the host's KVM, to its end;\n"
"          --yield gives the CPU away at every exit;\n"
"          SIGUSR1: console calls of the guest answer 1, which may mean it ends\n"
"       kvm linux IMAGE [--initrd FILE] [--cmdline TEXT] [--memory MIB] [--vcpus N]\n"
"     [--uart] [--console FILE] [--input TEXT] [--disk FILE]... [--rng] [--net]\n"
"     [--json] [--timeout SECONDS]\n"
"          the same for a Linux kernel, placed as `tvm linux` places it\n"
"exit status: 0 the guest has ended by its own will, 1 it has not, 2 wrong use\n";

struct options {
	const char *path;
	uint64_t arg;
	uint64_t timeout_s;
	bool json;
	bool yield;
};

static void parse(struct args *args, struct options *options)
{
	while (args_more(args)) {
		const char *word = args_word(args, "ELF");

		if (!strcmp(word, "--json"))
			options->json = true;
		else if (!strcmp(word, "--yield"))
			options->yield = true;
		else if (!strcmp(word, "--arg"))
			options->arg = args_number(args, "--arg");
		else if (!strcmp(word, "--timeout"))
			options->timeout_s = args_number(args, "--timeout");
		else if (!strncmp(word, "--", 2) || options->path)
			usage_error("unexpected \"%s\"", word);
		else
			options->path = word;
	}
	if (!options->path)
		usage_error("ELF is missing");
}

static enum status run_vcpu(struct vm *vm, const struct options *options)
{
	struct vcpu vcpu = { .fd = -1, .yield = options->yield };
	enum status status = STATUS_FAILED;
	const char *reason;

	if (vcpu_create(&vcpu, vm, 0, options->arg)) {
		report_launch(vm, options->arg);
		reason = vcpu_run(&vcpu);
		report_exit(&vcpu, reason);
		if (!strcmp(reason, "shutdown") || !strcmp(reason, "reboot"))
			status = STATUS_OK;
	}
	vcpu_destroy(&vcpu);
	return status;
}

static enum status verb_run_guest(struct args *args)
{
	struct options options = {};
	struct vm vm = { .kvm = -1, .fd = -1, .console = -1 };
	enum status status = STATUS_FAILED;

	parse(args, &options);
	events_as_json(options.json);
	stop_signals_install(options.timeout_s);
	if (vm_create(&vm) && vm_load(&vm, options.path, &status))
		status = run_vcpu(&vm, &options);
	vm_destroy(&vm);
	report_done();
	return status;
}

int main(int argc, char **argv)
{
	struct args args = { .count = argc, .words = argv, .next = 2 };

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return STATUS_OK;
	}
	if (argc >= 2 && !strcmp(argv[1], "run"))
		return verb_run_guest(&args);
	if (argc >= 2 && !strcmp(argv[1], "linux"))
		return verb_linux_guest(&args);
	if (argc >= 2)
		fprintf(stderr, "kvm: no verb \"%s\"\n", argv[1]);
	fputs(usage, stderr);
	return STATUS_USAGE;
}
