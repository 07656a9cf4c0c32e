// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm linux, tvm payload: a Linux kernel, or whatever starts as one does, as the
 * guest of the VMM that `tvm vm` is.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"
#include "options.h"
#include "guest/shim.h"
#include "vm.h"

#define MIB		(1ULL << 20)
#define DEFAULT_SHIM	"/payload/shim.elf"
#define DEFAULT_CMDLINE	"earlycon=sbi console=hvc0"
#define UART_CMDLINE	"earlycon=uart8250,mmio,0x10000000 console=ttyS0"
#define DEFAULT_MEMORY	(128 * MIB)
/* What devices have for their buffers; a network alone takes a quarter of it */
#define POOL_SIZE	(2 * BLOCK_SIZE)

struct linux_options {
	struct linux_guest guest;
	struct devices_wish wish;
	const char *console;
	uint64_t timeout_s;
	bool json;
};

static bool parse_flag(struct vm *vm, struct linux_options *options,
		       const char *word)
{
	if (!strcmp(word, "--json"))
		options->json = true;
	else if (!strcmp(word, "--small"))
		vm->demand = VM_DEMAND_BATCH;
	else if (!strcmp(word, "--single"))
		vm->demand = VM_DEMAND_PAGE;
	else if (!strcmp(word, "--uart"))
		options->guest.uart = true;
	else if (!strcmp(word, "--dirty"))
		vm->tvm->dirty = true;
	else if (!strcmp(word, "--pry"))
		vm->pry = true;
	else
		return false;
	return true;
}

static bool parse_file(struct args *args, struct linux_options *options,
		       const char *word)
{
	if (!strcmp(word, "--initrd"))
		options->guest.initrd = args_word(args, word);
	else if (!strcmp(word, "--shim"))
		options->guest.shim = args_word(args, word);
	else if (!strcmp(word, "--console"))
		options->console = args_word(args, word);
	else
		return false;
	return true;
}

static bool parse_value(struct args *args, struct vm *vm,
			struct linux_options *options, const char *word)
{
	if (!strcmp(word, "--cmdline"))
		options->guest.cmdline = args_word(args, word);
	else if (!strcmp(word, "--memory"))
		options->guest.memory = args_number(args, word) * MIB;
	else if (!strcmp(word, "--vcpus"))
		vm->count = args_number(args, word);
	else if (!strcmp(word, "--input"))
		vm->input = args_word(args, word);
	else if (!strcmp(word, "--sdid"))
		vm->tvm->sdid = args_number(args, word);
	else if (!strcmp(word, "--timeout"))
		options->timeout_s = args_number(args, word);
	else if (!strcmp(word, "--unpooled"))
		options->guest.devices.unpooled |= 1U << args_number(args, word) % 32;
	else
		return false;
	return true;
}

static void parse(struct args *args, struct vm *vm,
		  struct linux_options *options)
{
	while (args_more(args)) {
		const char *word = args_word(args, "IMAGE");

		if (parse_flag(vm, options, word) ||
		    devices_option(args, &options->wish, word) ||
		    parse_file(args, options, word) ||
		    parse_value(args, vm, options, word))
			continue;
		if (!strncmp(word, "--", 2) || options->guest.kernel)
			usage_error("unexpected \"%s\"", word);
		options->guest.kernel = word;
	}
	if (!options->guest.kernel)
		usage_error("%s is missing", options->guest.payload ? "FILE" : "IMAGE");
	if (!vm->count || vm->count > VM_MAX_VCPUS)
		usage_error("--vcpus is 1 to %d", VM_MAX_VCPUS);
	if (vm->tvm->sdid > COVE_A6_SDID_MASK)
		usage_error("--sdid is at most %d", COVE_A6_SDID_MASK);
	options->guest.vcpus = vm->count;
	/* Without a device of its own a payload is measured alone. */
	if (!options->guest.shim && (!options->guest.payload || options->guest.uart))
		options->guest.shim = DEFAULT_SHIM;
	options->guest.devices.count = devices_wished(&options->wish);
	if (options->guest.payload && options->guest.devices.count)
		usage_error("a payload has no device but --uart");
	if (options->guest.devices.count)
		options->guest.devices.pool_size = POOL_SIZE;
	if (!options->guest.cmdline)
		options->guest.cmdline = options->guest.uart ? UART_CMDLINE :
							       DEFAULT_CMDLINE;
}

static bool open_console(struct vm *vm, const char *path)
{
	if (!path)
		return true;
	vm->console = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (vm->console >= 0)
		return true;
	event_error("console", COVE_ERR_INVALID_PARAM, "%s: %s", path,
		    strerror(errno));
	return false;
}

static bool live(struct vm *vm, const struct linux_options *options)
{
	bool ok;

	vm->tvm->fd = device_open();
	if (vm->tvm->fd < 0)
		return false;
	stop_signals_install(options->timeout_s);
	ok = vm_live(vm);
	close(vm->tvm->fd);
	return ok;
}

static enum status run_guest(struct args *args, bool payload)
{
	static struct tvm tvm = { .sdid = DEFAULT_SDID };
	static struct vm vm = {
		.tvm = &tvm, .count = 1, .demand = VM_DEMAND_BLOCK, .console = -1,
	};
	struct linux_options options = { .guest = {
		.memory = DEFAULT_MEMORY, .payload = payload,
	} };
	char why[256];

	parse(args, &vm, &options);
	events_as_json(options.json);
	if (!linux_place(&options.guest, &tvm.image, &tvm.arg, why,
			 sizeof(why))) {
		event_error(payload ? "payload" : "linux", COVE_ERR_INVALID_PARAM, "%s",
			    why);
		return STATUS_USAGE;
	}
	if (!devices_open(&vm.devices, &options.wish, why, sizeof(why))) {
		event_error("devices", COVE_ERR_INVALID_PARAM, "%s", why);
		return STATUS_USAGE;
	}
	if (!open_console(&vm, options.console))
		return STATUS_USAGE;
	vm.pool.gpa = linux_pool(&options.guest);
	vm.pool.size = options.guest.devices.pool_size;
	tvm.vcpus = vm.count;
	vm.uart.base = options.guest.uart ? SHIM_UART : 0;
	tvm.spare.pages = options.guest.memory / PAGE_SIZE;
	return live(&vm, &options) ? STATUS_OK : STATUS_FAILED;
}

enum status verb_linux(struct args *args)
{
	return run_guest(args, false);
}

enum status verb_payload(struct args *args)
{
	return run_guest(args, true);
}
