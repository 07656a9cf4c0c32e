// SPDX-License-Identifier: BSD-2-Clause
/* tvm vm, tvm linux: how the guest has ended, and what was counted meanwhile. */
#include "vm.h"

void vm_report(const struct vm *vm)
{
	const struct vm_counts *counts = &vm->counts;

	event_finish_console();
	if (!events_are_json())
		return;
	event_begin("vm");
	json_string("reason", vm->reason);
	json_array_begin("exits");
	for (uint64_t id = 0; id < vm->count; id++)
		json_item_unsigned(vm->vcpus[id].exits);
	json_array_end();
	json_unsigned("demands", counts->demands);
	json_unsigned("demand_calls", counts->demand_calls);
	json_unsigned("interrupts", counts->interrupts);
	json_unsigned("zero_pages", counts->zero_pages);
	json_unsigned("large_pages", counts->large_pages);
	json_unsigned("shared_pages", counts->shared_pages);
	json_unsigned("mmio", counts->mmio);
	json_unsigned("waits", counts->waits);
	json_unsigned("ipis", counts->ipis);
	json_unsigned("fences", counts->fences);
	json_unsigned("launch_ticks", counts->launch_ticks);
	json_unsigned("run_ticks", counts->run_ticks);
	json_end();
}
