// SPDX-License-Identifier: BSD-2-Clause
/*
 * Messages go into memory, never to the UART that Linux and OpenSBI share.
 * Lock order: log_lock is the innermost of all locks.
 */
#include "arch/arch.h"
#include "trace/trace.h"

#define LINE_SIZE	160

struct tsm_log tsm_log;
struct tsm_stats tsm_stats;

static struct spinlock log_lock;

/* Last words, one line a hart: M-mode reads them after the TSM is dead. */
static char panic_line[COVE_MAX_HARTS][LINE_SIZE];
static bool panicking[COVE_MAX_HARTS];

static void append(char c)
{
	tsm_log.text[tsm_log.head % TSM_LOG_SIZE] = c;
	/* The harness may look at any time: the byte first, then the count. */
	__atomic_store_n(&tsm_log.head, tsm_log.head + 1, __ATOMIC_RELEASE);
}

static void append_line(const char *line)
{
	while (*line)
		append(*line++);
	append('\n');
}

void tsm_print(const char *text, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, text);
	format_args(line, sizeof(line), text, args);
	va_end(args);
	spin_lock(&log_lock);
	append_line(line);
	spin_unlock(&log_lock);
}

void tsm_panic(const char *text, ...)
{
	static const char again[] = "trap while the TSM was panicking";
	unsigned int hart = arch_hart() % COVE_MAX_HARTS;
	char *line = panic_line[hart];
	va_list args;
	size_t length;

	if (panicking[hart])
		tsmd_panic(again, sizeof(again) - 1);
	panicking[hart] = true;
	va_start(args, text);
	length = format_args(line, LINE_SIZE, text, args);
	va_end(args);
	/* The lock may be held by what panicked; the message matters more. */
	if (spin_trylock(&log_lock)) {
		append_line(line);
		spin_unlock(&log_lock);
	}
	tsmd_panic(line, length);
}
