/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a TVM may ask: console, end, measurement. No library below it.
 */
#ifndef GUEST_SBI_H
#define GUEST_SBI_H

#include <stddef.h>
#include <stdint.h>

struct sbi_ret {
	long error;
	unsigned long value;
};

struct sbi_ret sbi_call(unsigned long eid, unsigned long fid, unsigned long a0,
			unsigned long a1, unsigned long a2);

/**
 * Write a NUL-terminated text to the console. A line leaves in one exit, when
 * it is complete or the guest ends. One hart of a guest prints.
 */
void print(const char *text);

/** Write a character in an exit of its own, before what waits for its line's end. */
void print_now(char c);

/** Write 16 lower-case hexadecimal digits. */
void print_hex64(uint64_t value);

/** Write bytes as lower-case hexadecimal digits, first byte first. */
void print_bytes(const uint8_t *bytes, size_t count);

void print_decimal(unsigned long value);

/** Copy a measurement register into a page-aligned buffer; returns the SBI error. */
long read_measurement(void *page, size_t size, unsigned int reg);

/** End the guest with a message about a trap that nothing can be done about. */
void trapped(unsigned long scause, unsigned long sepc, unsigned long stval);

/** End the guest; does not return. */
void shutdown(void) __attribute__((noreturn));

/** What each guest supplies: runs with the argument that finalize_tvm was given. */
void guest_main(unsigned long vcpu_id, unsigned long arg);

#endif
