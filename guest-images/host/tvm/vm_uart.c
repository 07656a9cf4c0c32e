// SPDX-License-Identifier: BSD-2-Clause
/*
 * A 16550 for kernels that have no SBI console. It sends at once and has no
 * interrupt; its driver asks by a timer what it would have interrupted for.
 */
#include "vm.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR };

#define IER_RECEIVE	1
#define IER_TRANSMIT	2
#define IIR_NOTHING	0x01
#define IIR_TRANSMIT	0x02
#define IIR_RECEIVE	0x04
#define IIR_FIFO	0xc0
#define LCR_DIVISOR	0x80
#define LSR_RECEIVED	0x01
#define LSR_EMPTY	0x60
/* Carrier, data set and clear to send: somebody is there. */
#define MSR_READY	0xb0

/* Before the driver listens it empties the receiver, and input would be lost. */
static bool has_input(const struct vm *vm)
{
	return vm->uart.registers[IER] & IER_RECEIVE && vm->input && *vm->input;
}

static uint8_t cause(const struct vm *vm)
{
	uint8_t enabled = vm->uart.registers[IER];

	if (has_input(vm))
		return IIR_FIFO | IIR_RECEIVE;
	return IIR_FIFO | (enabled & IER_TRANSMIT ? IIR_TRANSMIT : IIR_NOTHING);
}

static uint8_t load(struct vm *vm, unsigned int number)
{
	const struct vm_uart *uart = &vm->uart;

	if (number <= IER && uart->registers[LCR] & LCR_DIVISOR)
		return uart->divisor[number];
	switch (number) {
	case DATA:
		return has_input(vm) ? *vm->input++ : 0;
	case IIR:
		return cause(vm);
	case LSR:
		return LSR_EMPTY | (has_input(vm) ? LSR_RECEIVED : 0);
	case MSR:
		return MSR_READY;
	default:
		return uart->registers[number];
	}
}

static void store_to(struct vm *vm, unsigned int number, uint8_t value)
{
	struct vm_uart *uart = &vm->uart;
	char byte = value;

	if (number <= IER && uart->registers[LCR] & LCR_DIVISOR)
		uart->divisor[number] = value;
	else if (number == DATA)
		vm_console_print(vm, &byte, 1);
	else
		uart->registers[number] = value;
}

/* Registers are bytes: what is beyond the first byte of an access is zero. */
bool vm_uart(struct vm_vcpu *vcpu, uint64_t gpa, bool store, uint64_t *value)
{
	struct vm *vm = vcpu->vm;
	uint64_t number = gpa - vm->uart.base;

	if (!vm->uart.base || number >= sizeof(vm->uart.registers))
		return false;
	if (store)
		store_to(vm, number, *value);
	else
		*value = load(vm, number);
	return true;
}
