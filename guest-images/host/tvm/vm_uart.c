// SPDX-License-Identifier: BSD-2-Clause
/* The 16550 of a TVM. */
#include "vm.h"

/* Registers are bytes: what is beyond the first byte of an access is zero. */
bool vm_uart(struct vm_vcpu *vcpu, uint64_t gpa, bool store, uint64_t *value)
{
	struct vm *vm = vcpu->vm;
	char byte = *value;
	unsigned int number;

	if (!uart_has(&vm->uart, gpa, &number))
		return false;
	if (!store)
		*value = uart_load(&vm->uart, number, &vm->input);
	else if (uart_store(&vm->uart, number, byte))
		vm_console_print(vm, &byte, 1);
	return true;
}
