// SPDX-License-Identifier: BSD-2-Clause
/* Calls, lines on the console, and what another hart is to do. */
#include "cove.h"
#include "covi.h"

#define SDID	1UL

static struct {
	int64_t (*work)(void);
	int64_t result;
	uint64_t busy;
} other;

void trapped(uint64_t cause, uint64_t pc);
void second_main(void);

int64_t sbi(uint64_t eid, uint64_t fid, uint64_t a0, uint64_t a1, uint64_t a2)
{
	uint64_t a[8] = { a0, a1, a2, 0, 0, 0, fid, eid };

	call(a);
	return a[0];
}

int64_t covh(uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return sbi(COVE_EID_COVH, SDID << COVE_A6_SDID_SHIFT | function, a0, a1,
		   a2);
}

int64_t covi(uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return sbi(COVE_EID_COVI, SDID << COVE_A6_SDID_SHIFT | function, a0, a1,
		   a2);
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

void say(const char *what, int64_t value)
{
	uint64_t rest = value < 0 ? -value : value;
	char digits[21];
	int at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = '0' + rest % 10;
		rest /= 10;
	} while (rest);
	print("covi: ");
	print(what);
	print(value < 0 ? " -" : " ");
	print(digits + at);
	print("\n");
}

void off(void)
{
	sbi(COVE_EID_SRST, COVE_SRST_SYSTEM_RESET, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}

void trapped(uint64_t cause, uint64_t pc)
{
	say("trap", cause);
	say("at", pc);
	off();
}

void second_main(void)
{
	for (;;) {
		while (!__atomic_load_n(&other.busy, __ATOMIC_ACQUIRE))
			;
		other.result = other.work();
		__atomic_store_n(&other.busy, 0, __ATOMIC_RELEASE);
	}
}

void other_start(uint64_t hart)
{
	say("hart_start", sbi(COVE_EID_HSM, COVE_HSM_HART_START, hart,
			      (uint64_t)second_entry, 0));
}

void other_begin(int64_t (*work)(void))
{
	other.work = work;
	__atomic_store_n(&other.busy, 1, __ATOMIC_RELEASE);
}

int64_t other_wait(void)
{
	while (__atomic_load_n(&other.busy, __ATOMIC_ACQUIRE))
		;
	return other.result;
}

int64_t other_do(int64_t (*work)(void))
{
	other_begin(work);
	return other_wait();
}
