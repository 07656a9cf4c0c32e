// SPDX-License-Identifier: BSD-2-Clause
/* tvm vm: options, the threads of the vCPUs, and their exits. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "vm.h"

/* The driver comes back after so many host interrupts at the latest. */
#define INTERRUPTS_A_TURN	64
#define MIB			(1ULL << 20)
#define NS_A_SECOND		1000000000ULL
/* The timebase of QEMU's virt machine: 10 MHz */
#define NS_A_TICK		100ULL
/* Sleep no longer than this before looking whether all is over. */
#define LONGEST_WAIT_NS		(100 * 1000 * 1000ULL)

static uint64_t now(void)
{
	uint64_t ticks;

	asm volatile("rdtime %0" : "=r"(ticks));
	return ticks;
}

void vm_end(struct vm *vm, const char *reason)
{
	if (!vm->reason)
		vm->reason = reason;
	vm_kick(vm, ~0ULL);
}

/* The signal gets it out of the run, the condition out of its wait. */
void vm_kick(struct vm *vm, uint64_t vcpus)
{
	for (uint64_t id = 0; id < vm->count; id++) {
		struct vm_vcpu *vcpu = &vm->vcpus[id];

		if (!(vcpus >> id & 1))
			continue;
		vcpu->kicked = true;
		if (vcpu->started && !pthread_equal(vcpu->thread, pthread_self()))
			pthread_kill(vcpu->thread, SIGUSR2);
	}
	pthread_cond_broadcast(&vm->change);
}

void vm_reply(struct vm_vcpu *vcpu, int64_t error, uint64_t value)
{
	vcpu->run.reply[0] = error;
	vcpu->run.reply[1] = value;
	vcpu->run.flags |= COVH_RUN_REPLY;
}

void vm_attempt(const char *what, int64_t error)
{
	event_finish_console();
	if (!events_are_json())
		return;
	event_begin("attempt");
	json_string("what", what);
	json_signed("error", error);
	json_end();
}

/* Only for runs that are refused: with the lock held nobody else is served. */
int64_t vm_run_once(struct vm_vcpu *vcpu)
{
	vcpu->run.max_interrupts = 1;
	if (ioctl(vcpu->vm->tvm->fd, COVH_RUN, &vcpu->run) && errno != ETIME &&
	    errno != EINTR)
		return COVE_ERR_FAILED;
	return vcpu->run.error;
}

/* Nanoseconds until the guest's timer interrupt, at most LONGEST_WAIT_NS */
static uint64_t until_timer(const struct covh_run *run)
{
	uint64_t guest_now = now() + run->htimedelta;

	if (run->vstimecmp <= guest_now)
		return 0;
	if (run->vstimecmp - guest_now > LONGEST_WAIT_NS / NS_A_TICK)
		return LONGEST_WAIT_NS;
	return (run->vstimecmp - guest_now) * NS_A_TICK;
}

void vm_wait_ns(struct vm *vm, uint64_t ns)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	ns += end.tv_nsec;
	end.tv_sec += ns / NS_A_SECOND;
	end.tv_nsec = ns % NS_A_SECOND;
	pthread_cond_timedwait(&vm->change, &vm->lock, &end);
}

/* WFI: until its timer, another vCPU, or an interrupt of ours wants it. */
static void wait_for_interrupt(struct vm_vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t ns;

	vm->counts.waits++;
	vm_devices_interrupt(vcpu);
	while (!vm->reason && !vcpu->kicked && !vcpu->run.hvip &&
	       !stop_requested()) {
		ns = until_timer(&vcpu->run);
		if (!ns)
			break;
		vm_wait_ns(vm, ns);
		vm_devices_interrupt(vcpu);
	}
}

static void handle_dead(struct vm_vcpu *vcpu)
{
	const struct covh_run *run = &vcpu->run;

	if (run->scause != SCAUSE_ECALL_VS || run->gprs[A7] != COVE_EID_SRST)
		vm_end(vcpu->vm, "fault");
	else
		vm_end(vcpu->vm, run->gprs[A0] ? "reboot" : "shutdown");
}

static bool any_inside(const struct vm *vm)
{
	for (uint64_t id = 0; id < vm->count; id++)
		if (vm->vcpus[id].inside)
			return true;
	return false;
}

/*
 * Another vCPU may have ended the guest, its thread being still on the way out
 * of the driver: what the others come back with is the reason, if it is one.
 */
static void handle_refused(struct vm_vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vm->refused = true;
	while (!vm->reason && any_inside(vm)) {
		vm_kick(vm, ~0ULL);
		vm_wait_ns(vm, LONGEST_WAIT_NS);
	}
	if (!vm->reason)
		event_error("run_tvm_vcpu", vcpu->run.error, "vCPU %llu",
			    (unsigned long long)vcpu->id);
	vm_end(vm, "error");
}

static void handle_exit(struct vm_vcpu *vcpu)
{
	struct covh_run *run = &vcpu->run;

	if (run->error == COVE_ERR_BUSY)
		return;
	if (run->error) {
		handle_refused(vcpu);
		return;
	}
	vcpu->exits++;
	if (run->value) {
		handle_dead(vcpu);
		return;
	}
	switch (run->scause) {
	case SCAUSE_ECALL_VS:
		vm_guest_call(vcpu);
		break;
	case SCAUSE_LOAD_GUEST_PAGE:
	case SCAUSE_STORE_GUEST_PAGE:
		if (run->htinst) {
			vm_mmio(vcpu);
			break;
		}
		/* fall through */
	case SCAUSE_FETCH_GUEST_PAGE:
		vm_demand(vcpu, run->htval << 2);
		break;
	case SCAUSE_VIRTUAL:
		wait_for_interrupt(vcpu);
		break;
	default:
		vm_end(vcpu->vm, "fault");
	}
}

static void turn(struct vm_vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	int error;

	vcpu->kicked = false;
	vcpu->run.max_interrupts = INTERRUPTS_A_TURN;
	vm_devices_interrupt(vcpu);
	vcpu->inside = true;
	pthread_mutex_unlock(&vm->lock);
	error = ioctl(vm->tvm->fd, COVH_RUN, &vcpu->run) ? errno : 0;
	pthread_mutex_lock(&vm->lock);
	vcpu->inside = false;
	vm->counts.interrupts += vcpu->run.interrupts;
	if (vm->refused)
		pthread_cond_broadcast(&vm->change);
	if (error == EINTR || error == ETIME)
		return;
	if (error) {
		event_error("run_tvm_vcpu", COVE_ERR_FAILED, "%s",
			    strerror(error));
		vm_end(vm, "error");
		return;
	}
	handle_exit(vcpu);
}

static void *vcpu_thread(void *argument)
{
	struct vm_vcpu *vcpu = argument;
	struct vm *vm = vcpu->vm;

	pthread_mutex_lock(&vm->lock);
	while (!vm->reason) {
		if (stop_requested())
			vm_end(vm, "limit");
		else if (vm_vcpu_on(vcpu) && !vm->refused)
			turn(vcpu);
		else
			vm_wait_ns(vm, LONGEST_WAIT_NS);
	}
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

static void on_kick(int number)
{
	(void)number;
}

static void begin(struct vm *vm)
{
	struct sigaction action = { .sa_handler = on_kick };
	pthread_condattr_t attributes;

	sigaction(SIGUSR2, &action, NULL);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->change, &attributes);
	for (uint64_t id = 0; id < vm->count; id++)
		vm->vcpus[id] = (struct vm_vcpu){
			.vm = vm, .id = id, .starts = !id,
			.run = { .sdid = vm->tvm->sdid, .tvm = vm->tvm->id,
				 .vcpu = id },
		};
}

static void run_all(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	for (uint64_t id = 0; id < vm->count; id++)
		vm->vcpus[id].started = !pthread_create(&vm->vcpus[id].thread,
							NULL, vcpu_thread,
							&vm->vcpus[id]);
	pthread_mutex_unlock(&vm->lock);
	for (uint64_t id = 0; id < vm->count; id++)
		if (vm->vcpus[id].started)
			pthread_join(vm->vcpus[id].thread, NULL);
}

bool vm_live(struct vm *vm)
{
	uint64_t began = now();
	bool ok = tvm_launch(vm->tvm);
	uint64_t launched = now();

	if (ok) {
		vm->counts.launch_ticks = launched - began;
		begin(vm);
		vm_memory_begin(vm);
		if (vm_devices_begin(vm))
			run_all(vm);
		vm->counts.run_ticks = now() - launched;
		vm_pry(vm);
		vm_devices_report(vm);
		vm_report(vm);
		ok = !strcmp(vm->reason, "shutdown") ||
		     !strcmp(vm->reason, "reboot");
	}
	ok &= tvm_teardown(vm->tvm);
	/* Shared pages are ours again now that no TVM maps them. */
	vm_memory_end(vm);
	vm_devices_end(vm);
	return ok;
}

struct vm_options {
	const char *path;
	uint64_t memory;
	uint64_t timeout_s;
	bool json;
};

static bool parse_flag(struct vm *vm, struct vm_options *options,
		       const char *word)
{
	if (!strcmp(word, "--json"))
		options->json = true;
	else if (!strcmp(word, "--large"))
		vm->demand = VM_DEMAND_BLOCK;
	else if (!strcmp(word, "--contrary"))
		vm->contrary = true;
	else
		return false;
	return true;
}

static bool parse_value(struct args *args, struct vm *vm,
			struct vm_options *options, const char *word)
{
	if (!strcmp(word, "--arg"))
		vm->tvm->arg = args_number(args, word);
	else if (!strcmp(word, "--sdid"))
		vm->tvm->sdid = args_number(args, word);
	else if (!strcmp(word, "--vcpus"))
		vm->count = args_number(args, word);
	else if (!strcmp(word, "--memory"))
		options->memory = args_number(args, word) * MIB;
	else if (!strcmp(word, "--input"))
		vm->input = args_word(args, word);
	else if (!strcmp(word, "--timeout"))
		options->timeout_s = args_number(args, word);
	else
		return false;
	return true;
}

static void parse(struct args *args, struct vm *vm, struct vm_options *options)
{
	while (args_more(args)) {
		const char *word = args_word(args, "ELF");

		if (parse_flag(vm, options, word) ||
		    parse_value(args, vm, options, word))
			continue;
		if (!strncmp(word, "--", 2) || options->path)
			usage_error("unexpected \"%s\"", word);
		options->path = word;
	}
	if (!options->path)
		usage_error("ELF is missing");
	if (!vm->count || vm->count > VM_MAX_VCPUS)
		usage_error("--vcpus is 1 to %d", VM_MAX_VCPUS);
	if (vm->tvm->sdid > COVE_A6_SDID_MASK)
		usage_error("--sdid is at most %d", COVE_A6_SDID_MASK);
}

enum status verb_vm(struct args *args)
{
	static struct tvm tvm = { .sdid = DEFAULT_SDID };
	static struct vm vm = { .tvm = &tvm, .count = 1, .console = -1 };
	struct vm_options options = {};
	char why[256];
	bool ok;

	parse(args, &vm, &options);
	events_as_json(options.json);
	if (!image_load(&tvm.image, options.path, why, sizeof(why))) {
		event_error("elf", COVE_ERR_INVALID_PARAM, "%s", why);
		return STATUS_USAGE;
	}
	if (options.memory > tvm.image.region_size)
		tvm.image.region_size = options.memory;
	tvm.vcpus = vm.count;
	tvm.spare.pages = tvm.image.region_size / PAGE_SIZE;
	tvm.fd = device_open();
	if (tvm.fd < 0)
		return STATUS_FAILED;
	stop_signals_install(options.timeout_s);
	ok = vm_live(&vm);
	close(tvm.fd);
	return ok ? STATUS_OK : STATUS_FAILED;
}
