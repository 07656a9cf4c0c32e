// SPDX-License-Identifier: BSD-2-Clause
/* kvm linux: a Linux kernel as a plain guest, a thread for each of its vCPUs. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "kvm.h"
#include "linux.h"
#include "options.h"
#include "guest/shim.h"

#define MIB		(1ULL << 20)
#define DEFAULT_CMDLINE	"earlycon=sbi console=hvc0"
#define UART_CMDLINE	"earlycon=uart8250,mmio,0x10000000 console=ttyS0"
#define DEFAULT_MEMORY	(128 * MIB)

struct options {
	struct linux_guest guest;
	struct devices_wish wish;
	const char *console;
	const char *input;
	uint64_t timeout_s;
	bool json;
};

static bool parse_text(struct args *args, struct options *options,
		       const char *word)
{
	if (!strcmp(word, "--initrd"))
		options->guest.initrd = args_word(args, word);
	else if (!strcmp(word, "--cmdline"))
		options->guest.cmdline = args_word(args, word);
	else if (!strcmp(word, "--console"))
		options->console = args_word(args, word);
	else if (!strcmp(word, "--input"))
		options->input = args_word(args, word);
	else
		return false;
	return true;
}

static bool parse_number_of(struct args *args, struct options *options,
			    const char *word)
{
	if (!strcmp(word, "--memory"))
		options->guest.memory = args_number(args, word) * MIB;
	else if (!strcmp(word, "--vcpus"))
		options->guest.vcpus = args_number(args, word);
	else if (!strcmp(word, "--timeout"))
		options->timeout_s = args_number(args, word);
	else
		return false;
	return true;
}

static void parse(struct args *args, struct options *options)
{
	while (args_more(args)) {
		const char *word = args_word(args, "IMAGE");

		if (!strcmp(word, "--json"))
			options->json = true;
		else if (!strcmp(word, "--uart"))
			options->guest.uart = true;
		else if (parse_text(args, options, word) ||
			 devices_option(args, &options->wish, word) ||
			 parse_number_of(args, options, word))
			continue;
		else if (!strncmp(word, "--", 2) || options->guest.kernel)
			usage_error("unexpected \"%s\"", word);
		else
			options->guest.kernel = word;
	}
	if (!options->guest.kernel)
		usage_error("IMAGE is missing");
	if (!options->guest.vcpus || options->guest.vcpus > KVM_MAX_VCPUS)
		usage_error("--vcpus is 1 to %d", KVM_MAX_VCPUS);
	if (!options->guest.cmdline)
		options->guest.cmdline = options->guest.uart ? UART_CMDLINE :
							       DEFAULT_CMDLINE;
	options->guest.devices.count = devices_wished(&options->wish);
}

static void on_kick(int number)
{
	(void)number;
}

struct thread {
	struct vcpu *vcpu;
	pthread_t id;
	bool started;
};

/* The mark is for a vCPU that is just about to enter, the signal for one inside. */
static void end_all(struct vm *vm, struct thread *threads, const char *reason)
{
	if (!vm->reason)
		vm->reason = reason;
	for (uint64_t id = 0; id < vm->count; id++) {
		vm->vcpus[id].run->immediate_exit = 1;
		if (threads[id].started &&
		    !pthread_equal(threads[id].id, pthread_self()))
			pthread_kill(threads[id].id, SIGUSR2);
	}
}

static struct thread threads[KVM_MAX_VCPUS];

static void *run_vcpu(void *argument)
{
	struct vcpu *vcpu = argument;

	end_all(vcpu->vm, threads, vcpu_run(vcpu));
	return NULL;
}

/* Signals that end the work come to this thread, which runs the boot vCPU. */
static void run_all(struct vm *vm)
{
	struct sigaction kick = { .sa_handler = on_kick };
	sigset_t all, old;

	sigaction(SIGUSR2, &kick, NULL);
	sigfillset(&all);
	sigdelset(&all, SIGUSR2);
	threads[0] = (struct thread){ .id = pthread_self(), .started = true };
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (uint64_t id = 1; id < vm->count; id++)
		threads[id].started = !pthread_create(&threads[id].id, NULL,
						      run_vcpu, &vm->vcpus[id]);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	run_vcpu(&vm->vcpus[0]);
	for (uint64_t id = 1; id < vm->count; id++)
		if (threads[id].started)
			pthread_join(threads[id].id, NULL);
}

static bool create_vcpus(struct vm *vm, uint64_t fdt)
{
	for (uint64_t id = 0; id < vm->count; id++)
		if (!vcpu_create(&vm->vcpus[id], vm, id, fdt))
			return false;
	return true;
}

static enum status live(struct vm *vm, uint64_t fdt)
{
	enum status status = STATUS_FAILED;

	if (vm_create(vm) && vm_load_image(vm) && create_vcpus(vm, fdt)) {
		report_launch(vm, fdt);
		run_all(vm);
		report_exit(&vm->vcpus[0], vm->reason);
		if (!strcmp(vm->reason, "shutdown") ||
		    !strcmp(vm->reason, "reboot"))
			status = STATUS_OK;
	}
	for (uint64_t id = 0; id < vm->count; id++)
		vcpu_destroy(&vm->vcpus[id]);
	devices_close(&vm->devices);
	vm_destroy(vm);
	report_done();
	return status;
}

static bool open_console(struct vm *vm, const char *path)
{
	if (!path)
		return true;
	vm->console = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return vm->console >= 0 ||
	       report_failure("--console", "give a file or device to write to");
}

enum status verb_linux_guest(struct args *args)
{
	static struct vcpu vcpus[KVM_MAX_VCPUS];
	static struct vm vm = {
		.kvm = -1, .fd = -1, .console = -1, .vcpus = vcpus,
	};
	struct options options = { .guest = {
		.memory = DEFAULT_MEMORY,
		.vcpus = 1,
	} };
	uint64_t fdt;
	char why[256];

	parse(args, &options);
	events_as_json(options.json);
	vm.input = options.input;
	vm.count = options.guest.vcpus;
	vm.uart.base = options.guest.uart ? SHIM_UART : 0;
	for (uint64_t id = 0; id < vm.count; id++)
		vcpus[id].fd = -1;
	if (!linux_place(&options.guest, &vm.image, &fdt, why, sizeof(why))) {
		report_refusal("linux", why);
		return STATUS_USAGE;
	}
	if (!devices_open(&vm.devices, &options.wish, why, sizeof(why))) {
		report_refusal("devices", why);
		return STATUS_USAGE;
	}
	if (!open_console(&vm, options.console))
		return STATUS_USAGE;
	stop_signals_install(options.timeout_s);
	return live(&vm, fdt);
}
