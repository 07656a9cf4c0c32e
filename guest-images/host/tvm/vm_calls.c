// SPDX-License-Identifier: BSD-2-Clause
/* Calls of the guest: what the TSM leaves to the host, and what it tells of. */
#include <string.h>
#include <unistd.h>

#include "vm.h"

/* A contrary host hears of a stop so much later, unless a start comes. */
#define STOP_WAITS	20
#define STOP_WAIT_NS	(10 * 1000 * 1000ULL)

static void event(const struct vm_vcpu *vcpu)
{
	event_finish_console();
	if (!events_are_json())
		return;
	event_begin("call");
	json_unsigned("vcpu", vcpu->id);
	json_unsigned("eid", vcpu->run.gprs[A7]);
	json_unsigned("fid", vcpu->run.gprs[A6]);
	json_array_begin("args");
	for (int i = 0; i < 6; i++)
		json_item_unsigned(vcpu->run.gprs[i]);
	json_array_end();
	json_end();
}

/* A console that nobody can take any more has lost its bytes, as a UART has. */
void vm_console_print(const struct vm *vm, const char *bytes, uint64_t count)
{
	ssize_t written;

	while (vm->console >= 0 && count) {
		written = write(vm->console, bytes, count);
		if (written <= 0)
			return;
		bytes += written;
		count -= written;
	}
	for (uint64_t i = 0; i < count; i++)
		event_console(bytes[i]);
}

static void print_byte(const struct vm_vcpu *vcpu)
{
	char byte = vcpu->run.gprs[A0];

	vm_console_print(vcpu->vm, &byte, 1);
}

/* The bytes came with the exit, or lie in memory that the guest shares. */
static void console_write(struct vm_vcpu *vcpu)
{
	struct covh_run *run = &vcpu->run;
	uint64_t count = run->gprs[A0];
	char bytes[COVH_RUN_DATA_SIZE];

	if (count > sizeof(bytes))
		count = sizeof(bytes);
	if (run->gprs[A1] == ~0ULL) {
		memcpy(bytes, run->data, count);
	} else if (!vm_read_shared(vcpu->vm, run->gprs[A1], bytes, count)) {
		vm_reply(vcpu, COVE_ERR_INVALID_PARAM, 0);
		return;
	}
	vm_console_print(vcpu->vm, bytes, count);
	vm_reply(vcpu, COVE_SUCCESS, count);
}

static void console_read(struct vm_vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t count = vm->input ? strlen(vm->input) : 0;

	if (vcpu->run.gprs[A1] != ~0ULL) {
		vm_reply(vcpu, COVE_ERR_NOT_SUPPORTED, 0);
		return;
	}
	if (count > vcpu->run.gprs[A0])
		count = vcpu->run.gprs[A0];
	memcpy(vcpu->run.data, vm->input ? vm->input : "", count);
	vcpu->run.flags |= COVH_RUN_DATA;
	if (vm->input)
		vm->input += count;
	vm_reply(vcpu, COVE_SUCCESS, count);
}

static void console_call(struct vm_vcpu *vcpu)
{
	switch (vcpu->run.gprs[A6]) {
	case COVE_DBCN_CONSOLE_WRITE:
		console_write(vcpu);
		break;
	case COVE_DBCN_CONSOLE_READ:
		console_read(vcpu);
		break;
	default:
		print_byte(vcpu);
		vm_reply(vcpu, COVE_SUCCESS, finish_requested());
	}
}

bool vm_vcpu_on(const struct vm_vcpu *vcpu)
{
	return vcpu->starts > vcpu->stops;
}

/*
 * The TSM has the vCPU off before its thread is out of the driver, and the
 * guest may start it again at once. A host with other work hears of that start
 * first now and then, a contrary one as often as it can.
 */
static void hear_of_start_first(struct vm_vcpu *vcpu)
{
	uint64_t starts = vcpu->starts;

	for (int i = 0; i < STOP_WAITS && vcpu->starts == starts &&
	     !vcpu->vm->reason && !stop_requested(); i++)
		vm_wait_ns(vcpu->vm, STOP_WAIT_NS);
}

static void hart_call(struct vm_vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t id = vcpu->run.gprs[A0];
	bool stop = vcpu->run.gprs[A6] == COVE_HSM_HART_STOP;

	if (stop && vm->contrary)
		hear_of_start_first(vcpu);
	event(vcpu);
	if (stop)
		vcpu->stops++;
	else if (id < vm->count)
		vm->vcpus[id].starts++;
	pthread_cond_broadcast(&vm->change);
}

static void covg_call(struct vm_vcpu *vcpu)
{
	event(vcpu);
	switch (vcpu->run.gprs[A6]) {
	case COVE_COVG_SHARE_MEMORY_REGION:
		vm_change_region(vcpu, true);
		break;
	case COVE_COVG_UNSHARE_MEMORY_REGION:
		vm_change_region(vcpu, false);
		break;
	default:
		/* Done already, and we are only told. */
		break;
	}
}

void vm_guest_call(struct vm_vcpu *vcpu)
{
	switch (vcpu->run.gprs[A7]) {
	case COVE_EID_LEGACY_PUTCHAR:
		print_byte(vcpu);
		vm_reply(vcpu, COVE_SUCCESS, 0);
		break;
	case COVE_EID_DBCN:
		console_call(vcpu);
		break;
	case COVE_EID_HSM:
		hart_call(vcpu);
		break;
	case COVE_EID_IPI:
		vcpu->vm->counts.ipis++;
		vm_kick(vcpu->vm, vcpu->run.gprs[A0]);
		break;
	case COVE_EID_RFENCE:
		vcpu->vm->counts.fences++;
		vm_kick(vcpu->vm, vcpu->run.gprs[A0]);
		break;
	case COVE_EID_COVG:
		covg_call(vcpu);
		break;
	default:
		vm_reply(vcpu, COVE_ERR_NOT_SUPPORTED, 0);
	}
}
