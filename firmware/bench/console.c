/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI calls and lines on the console, for all that runs in the host's place. */
#include "bench.h"
#include "cove.h"

int64_t sbi(uint64_t eid, uint64_t fid, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct sample call = { .a = { a0, a1, a2, 0, 0, 0, fid, eid } };

	measure(&call);
	return call.a[0];
}

static void put(char c)
{
	sbi(COVE_EID_DBCN, COVE_DBCN_CONSOLE_WRITE_BYTE, (unsigned char)c, 0, 0);
}

static void print(const char *text)
{
	while (*text)
		put(*text++);
}

static void print_number(int64_t value)
{
	uint64_t rest = value < 0 ? -value : value;
	char digits[21];
	int at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = '0' + rest % 10;
		rest /= 10;
	} while (rest);
	print(value < 0 ? " -" : " ");
	print(digits + at);
}

static void __attribute__((noreturn)) off(void)
{
	sbi(COVE_EID_SRST, COVE_SRST_SYSTEM_RESET, 0, 0, 0);
	for (;;)
		__asm__ __volatile__("wfi");
}

void __attribute__((noreturn))
bench_trapped(uint64_t cause, uint64_t pc, uint64_t value)
{
	print("bench: trap");
	print_number(cause);
	print_number(pc);
	print_number(value);
	print("\n");
	off();
}

void __attribute__((noreturn)) give_up(const char *what, int64_t number)
{
	print("bench: failed ");
	print(what);
	print_number(number);
	print("\n");
	off();
}

void report(const char *name, int round, int ranges,
	    const struct sample *sample)
{
	print("bench: ");
	print(name);
	print_number(round);
	print_number(ranges);
	print_number(sample->before);
	print_number(sample->after);
	print_number(sample->a[0]);
	print("\n");
}

int64_t covh(const char *name, int round, int ranges, uint64_t function,
	     uint64_t a0, uint64_t a1)
{
	struct sample call = {
		.a = { a0, a1, 0, 0, 0, 0,
		       SDID << COVE_A6_SDID_SHIFT | function, COVE_EID_COVH },
	};

	measure(&call);
	report(name, round, ranges, &call);
	return call.a[0];
}

void __attribute__((noreturn)) done(void)
{
	print("bench: done\n");
	off();
}
