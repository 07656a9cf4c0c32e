// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tvm.h"

static unsigned long line;

void usage_line(unsigned long number)
{
	line = number;
}

void usage_error(const char *format, ...)
{
	va_list list;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	if (line)
		fprintf(stderr, "line %lu: ", line);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, " (%s --help)\n", program_invocation_short_name);
	exit(STATUS_USAGE);
}

bool args_more(const struct args *args)
{
	return args->next < args->count;
}

const char *args_word(struct args *args, const char *what)
{
	if (!args_more(args))
		usage_error("%s is missing", what);
	return args->words[args->next++];
}

/* Decimal, 0x hexadecimal, or a negative number in two's complement. */
uint64_t parse_number(const char *word, const char *what)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(word, &end, 0);
	if (errno || end == word || *end)
		usage_error("%s: \"%s\" is not a number of 64 bits", what, word);
	return value;
}

uint64_t args_number(struct args *args, const char *what)
{
	return parse_number(args_word(args, what), what);
}
