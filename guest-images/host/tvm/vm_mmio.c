// SPDX-License-Identifier: BSD-2-Clause
/*
 * The device of `tvm vm`: a page of memory, wherever the guest wants one, whose
 * last registers are the VMM's own.
 */
#include <string.h>

#include "vm.h"

/* Written: interrupts that are to be pending in this vCPU, as in hvip */
#define REGISTER_HVIP	0xff0
#define OPCODE_STORE	0x23

static void event(const struct vm_vcpu *vcpu, uint64_t gpa, bool store,
		  unsigned int size, uint64_t value)
{
	event_finish_console();
	if (!events_are_json())
		return;
	event_begin("mmio");
	json_unsigned("vcpu", vcpu->id);
	json_unsigned("gpa", gpa);
	json_bool("store", store);
	json_unsigned("size", size);
	json_unsigned("value", value);
	json_unsigned("htinst", vcpu->run.htinst);
	json_array_begin("gprs");
	for (int i = 0; i < 8; i++)
		json_item_unsigned(vcpu->run.gprs[i]);
	json_array_end();
	json_end();
}

/* The TSM has made the instruction one that uses a0; funct3 has the width. */
void vm_mmio(struct vm_vcpu *vcpu)
{
	struct covh_run *run = &vcpu->run;
	uint64_t gpa = run->htval << 2 | (run->stval & 3);
	bool store = (run->htinst & 0x7f) == OPCODE_STORE;
	unsigned int size = 1 << (run->htinst >> 12 & 3);
	uint8_t *at = &vcpu->vm->device[gpa % PAGE_SIZE];
	uint64_t value = store ? run->gprs[A0] : 0;

	vcpu->vm->counts.mmio++;
	if (gpa % PAGE_SIZE + size > PAGE_SIZE) {
		vm_end(vcpu->vm, "mmio");
		return;
	}
	if (vm_devices_access(vcpu, gpa, store, size, &value) ||
	    vm_uart(vcpu, gpa, store, &value)) {
		if (!store)
			vm_reply(vcpu, value, 0);
		return;
	}
	if (store)
		memcpy(at, &value, size);
	else
		memcpy(&value, at, size);
	if (store && gpa % PAGE_SIZE == REGISTER_HVIP)
		run->hvip = value;
	event(vcpu, gpa, store, size, value);
	if (!store)
		/* The bits that were not asked for say nothing. */
		vm_reply(vcpu, size < 8 ? value | ~0ULL << 8 * size : value, 0);
}
