// SPDX-License-Identifier: BSD-2-Clause
#include "cove.h"
#include "sbi.h"

struct sbi_ret sbi_call(unsigned long eid, unsigned long fid, unsigned long arg0,
			unsigned long arg1, unsigned long arg2)
{
	register unsigned long a0 asm("a0") = arg0;
	register unsigned long a1 asm("a1") = arg1;
	register unsigned long a2 asm("a2") = arg2;
	register unsigned long a6 asm("a6") = fid;
	register unsigned long a7 asm("a7") = eid;

	asm volatile("ecall"
		     : "+r"(a0), "+r"(a1)
		     : "r"(a2), "r"(a6), "r"(a7)
		     : "memory");
	return (struct sbi_ret){ .error = (long)a0, .value = a1 };
}

/* Asked once: the answer cannot change while the guest runs. */
static int has_debug_console(void)
{
	static int known, has;

	if (!known) {
		has = sbi_call(COVE_EID_BASE, COVE_BASE_PROBE_EXTENSION,
			       COVE_EID_DBCN, 0, 0).value != 0;
		known = 1;
	}
	return has;
}

/* Within one page, and no longer than what one exit carries. */
static char line[COVE_NACL_CONSOLE_SIZE]
	__attribute__((aligned(COVE_NACL_CONSOLE_SIZE)));
static size_t line_length;

void print_now(char c)
{
	if (has_debug_console())
		sbi_call(COVE_EID_DBCN, COVE_DBCN_CONSOLE_WRITE_BYTE,
			 (unsigned char)c, 0, 0);
	else
		sbi_call(COVE_EID_LEGACY_PUTCHAR, 0, (unsigned char)c, 0, 0);
}

/*
 * The line in one exit where possible. A host may take a part of it; one that
 * refuses, or takes nothing and claims success, gets the bytes one by one.
 */
static void flush(void)
{
	size_t done = 0;

	while (done < line_length && has_debug_console()) {
		size_t left = line_length - done;
		struct sbi_ret ret = sbi_call(COVE_EID_DBCN,
					      COVE_DBCN_CONSOLE_WRITE, left,
					      (unsigned long)line + done, 0);

		if (ret.error || !ret.value || ret.value > left)
			break;
		done += ret.value;
	}
	while (done < line_length)
		print_now(line[done++]);
	line_length = 0;
}

static void print_char(char c)
{
	line[line_length++] = c;
	if (c == '\n' || line_length == sizeof(line))
		flush();
}

void print(const char *text)
{
	while (*text)
		print_char(*text++);
}

static void print_digit(unsigned int digit)
{
	print_char("0123456789abcdef"[digit & 15]);
}

void print_hex64(uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		print_digit(value >> shift & 15);
}

void print_bytes(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		print_digit(bytes[i] >> 4);
		print_digit(bytes[i]);
	}
}

void print_decimal(unsigned long value)
{
	if (value >= 10)
		print_decimal(value / 10);
	print_digit(value % 10);
}

long read_measurement(void *page, size_t size, unsigned int reg)
{
	return sbi_call(COVE_EID_COVG, COVE_COVG_READ_MEASUREMENT,
			(unsigned long)page, size, reg).error;
}

void shutdown(void)
{
	flush();
	for (;;)
		sbi_call(COVE_EID_SRST, COVE_SRST_SYSTEM_RESET, 0, 0, 0);
}
