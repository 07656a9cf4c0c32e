// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "uart.h"

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
static bool has_input(const struct vm_uart *uart, const char *input)
{
	return uart->registers[IER] & IER_RECEIVE && input && *input;
}

static uint8_t cause(const struct vm_uart *uart, const char *input)
{
	uint8_t enabled = uart->registers[IER];

	if (has_input(uart, input))
		return IIR_FIFO | IIR_RECEIVE;
	return IIR_FIFO | (enabled & IER_TRANSMIT ? IIR_TRANSMIT : IIR_NOTHING);
}

bool uart_has(const struct vm_uart *uart, uint64_t gpa, unsigned int *number)
{
	if (!uart->base || gpa - uart->base >= sizeof(uart->registers))
		return false;
	*number = gpa - uart->base;
	return true;
}

uint8_t uart_load(const struct vm_uart *uart, unsigned int number,
		  const char **input)
{
	if (number <= IER && uart->registers[LCR] & LCR_DIVISOR)
		return uart->divisor[number];
	switch (number) {
	case DATA:
		return has_input(uart, *input) ? *(*input)++ : 0;
	case IIR:
		return cause(uart, *input);
	case LSR:
		return LSR_EMPTY |
		       (has_input(uart, *input) ? LSR_RECEIVED : 0);
	case MSR:
		return MSR_READY;
	default:
		return uart->registers[number];
	}
}

bool uart_store(struct vm_uart *uart, unsigned int number, uint8_t value)
{
	if (number <= IER && uart->registers[LCR] & LCR_DIVISOR)
		uart->divisor[number] = value;
	else if (number == DATA)
		return true;
	else
		uart->registers[number] = value;
	return false;
}
