// SPDX-License-Identifier: BSD-2-Clause
/* What happens in a run, in the same events as the tvm tool's. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kvm.h"

void report_launch(const struct vm *vm, uint64_t arg)
{
	if (!events_are_json()) {
		fprintf(stderr, "kvm: entry %#" PRIx64 ", argument %#" PRIx64 "\n",
			vm->image.entry, arg);
		return;
	}
	event_begin("launch");
	json_unsigned("entry", vm->image.entry);
	json_unsigned("arg", arg);
	json_unsigned("gpa", vm->image.region_base);
	json_unsigned("size", vm->image.region_size);
	json_end();
}

static uint64_t fault_address(const struct kvm_run *run)
{
	return run->exit_reason == KVM_EXIT_MMIO ? run->mmio.phys_addr : 0;
}

void report_exit(const struct vcpu *vcpu, const char *reason)
{
	const struct kvm_run *run = vcpu->run;

	event_finish_console();
	if (!events_are_json()) {
		fprintf(stderr, "kvm: %s after %" PRIu64 " exits; KVM's exit reason %u, address %#" PRIx64 "\n",
			reason, vcpu->exits, run->exit_reason,
			fault_address(run));
		return;
	}
	event_begin("exit");
	json_string("reason", reason);
	json_unsigned("kvm", run->exit_reason);
	json_unsigned("address", fault_address(run));
	json_unsigned("exits", vcpu->exits);
	json_unsigned("all_exits", vcpu_all_exits(vcpu));
	json_end();
}

void report_done(void)
{
	if (!events_are_json())
		return;
	event_begin("done");
	json_end();
}

void report_refusal(const char *step, const char *message)
{
	event_finish_console();
	if (!events_are_json()) {
		fprintf(stderr, "kvm: %s: %s\n", step, message);
		return;
	}
	event_begin("error");
	json_string("call", step);
	json_signed("error", COVE_ERR_FAILED);
	json_string("message", message);
	json_end();
}

bool report_failure(const char *step, const char *remedy)
{
	char message[256];

	snprintf(message, sizeof(message), "%s; %s", strerror(errno), remedy);
	report_refusal(step, message);
	return false;
}
