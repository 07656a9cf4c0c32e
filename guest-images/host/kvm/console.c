// SPDX-License-Identifier: BSD-2-Clause
/* The consoles of a guest: that of SBI (chapter DBCN), and a 16550. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "kvm.h"

/* vCPUs may call at the same time; a line of one is not to be cut by another. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Where the guest's buffer is, NULL if not all of it is in its memory */
static uint8_t *buffer(struct vm *vm, uint64_t gpa, uint64_t size)
{
	uint64_t offset = gpa - vm->image.region_base;

	if (gpa < vm->image.region_base || offset > vm->image.region_size ||
	    size > vm->image.region_size - offset)
		return NULL;
	return vm->ram + offset;
}

/* A console that nobody can take any more has lost its bytes, as a UART has. */
static void print(struct vm *vm, const uint8_t *bytes, uint64_t count)
{
	ssize_t written;

	pthread_mutex_lock(&lock);
	while (vm->console >= 0 && count) {
		written = write(vm->console, bytes, count);
		if (written <= 0)
			break;
		bytes += written;
		count -= written;
	}
	for (uint64_t i = 0; vm->console < 0 && i < count; i++)
		event_console(bytes[i]);
	pthread_mutex_unlock(&lock);
}

static uint64_t take_input(struct vm *vm, uint8_t *to, uint64_t size)
{
	uint64_t count;

	pthread_mutex_lock(&lock);
	count = vm->input ? strlen(vm->input) : 0;
	if (count > size)
		count = size;
	if (count) {
		memcpy(to, vm->input, count);
		vm->input += count;
	}
	pthread_mutex_unlock(&lock);
	return count;
}

void console_call(struct vm *vm, struct kvm_run *run)
{
	const unsigned long *args = run->riscv_sbi.args;
	unsigned long *ret = run->riscv_sbi.ret;
	uint8_t byte = args[0];
	uint8_t *at;

	ret[0] = COVE_SUCCESS;
	if (run->riscv_sbi.function_id == COVE_DBCN_CONSOLE_WRITE_BYTE) {
		print(vm, &byte, 1);
		ret[1] = finish_requested();
		return;
	}
	at = args[2] ? NULL : buffer(vm, args[1], args[0]);
	if (!at) {
		ret[0] = (unsigned long)COVE_ERR_INVALID_PARAM;
	} else if (run->riscv_sbi.function_id == COVE_DBCN_CONSOLE_WRITE) {
		print(vm, at, args[0]);
		ret[1] = args[0];
	} else if (run->riscv_sbi.function_id == COVE_DBCN_CONSOLE_READ) {
		ret[1] = take_input(vm, at, args[0]);
	} else {
		ret[0] = (unsigned long)COVE_ERR_NOT_SUPPORTED;
	}
}

/*
 * Registers are bytes: what is beyond the first byte of an access is zero. vCPUs
 * of one guest may be here at the same time; print() takes the lock by itself.
 */
bool console_mmio(struct vm *vm, struct kvm_run *run)
{
	uint8_t byte = run->mmio.data[0];
	bool sent = false;
	unsigned int number;

	if (!uart_has(&vm->uart, run->mmio.phys_addr, &number))
		return false;
	pthread_mutex_lock(&lock);
	if (run->mmio.is_write) {
		sent = uart_store(&vm->uart, number, byte);
	} else {
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		run->mmio.data[0] = uart_load(&vm->uart, number, &vm->input);
	}
	pthread_mutex_unlock(&lock);
	if (sent)
		print(vm, &byte, 1);
	return true;
}
