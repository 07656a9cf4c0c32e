/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550 for kernels that have no SBI console, in a TVM and in a plain guest of
 * KVM. It sends at once and has no interrupt; its driver asks by a timer what it
 * would have interrupted for.
 */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

struct vm_uart {
	/* Guest-physical; 0: the guest has none */
	uint64_t base;
	uint8_t registers[8];
	uint8_t divisor[2];
};

/** Tell whether an address is one of the UART's registers, and which. */
bool uart_has(const struct vm_uart *uart, uint64_t gpa, unsigned int *number);

/** Load a register. @input: what the guest reads next, moved on when it does */
uint8_t uart_load(const struct vm_uart *uart, unsigned int number,
		  const char **input);

/** Store to a register; true: the byte is to be sent. */
bool uart_store(struct vm_uart *uart, unsigned int number, uint8_t value);

#endif
