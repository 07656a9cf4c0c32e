// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest's console between the other events: JSON lines for programs, the
 * characters themselves for people.
 */
#include <stdio.h>

#include "tvm.h"

/* A guest that never ends a line is printed in pieces of this size. */
#define LINE_MAX_BYTES	1024

static bool as_json;
static bool quiet;
static char line[LINE_MAX_BYTES];
static size_t line_length;

void events_as_json(bool json)
{
	as_json = json;
}

/** Nothing is shown: the caller looks at what the functions return. */
void events_quiet(void)
{
	quiet = true;
}

bool events_are_quiet(void)
{
	return quiet;
}

bool events_are_json(void)
{
	return as_json;
}

void event_begin(const char *event)
{
	json_begin();
	json_string("event", event);
}

static void flush_line(void)
{
	event_begin("console");
	json_string_bytes("text", line, line_length);
	json_end();
	line_length = 0;
}

void event_console(char c)
{
	if (quiet)
		return;
	if (!as_json) {
		putchar(c);
		if (c == '\n')
			fflush(stdout);
		return;
	}
	if (c != '\n')
		line[line_length++] = c;
	if (c == '\n' || line_length == sizeof(line))
		flush_line();
}

/** What the guest said last comes before what happened next. */
void event_finish_console(void)
{
	if (as_json && line_length)
		flush_line();
	fflush(stdout);
}
