// SPDX-License-Identifier: BSD-2-Clause
/*
 * JSON by hand: flat objects with at most one level of arrays, a line each.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tvm.h"

static bool need_comma;

static void comma(void)
{
	if (need_comma)
		putchar(',');
	need_comma = true;
}

static void key_colon(const char *key)
{
	comma();
	printf("\"%s\":", key);
}

void json_begin(void)
{
	need_comma = false;
	putchar('{');
}

void json_end(void)
{
	puts("}");
	fflush(stdout);
}

/* Bytes beyond ASCII pass as Latin-1 escapes: guests may print anything. */
static void put_escaped(unsigned char c)
{
	if (c == '"' || c == '\\')
		printf("\\%c", c);
	else if (c < 0x20 || c >= 0x7f)
		printf("\\u%04x", c);
	else
		putchar(c);
}

void json_string_bytes(const char *key, const char *value, size_t size)
{
	key_colon(key);
	putchar('"');
	for (size_t i = 0; i < size; i++)
		put_escaped(value[i]);
	putchar('"');
}

void json_string(const char *key, const char *value)
{
	size_t size = 0;

	while (value[size])
		size++;
	json_string_bytes(key, value, size);
}

void json_hex(const char *key, const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	key_colon(key);
	putchar('"');
	for (size_t i = 0; i < size; i++) {
		putchar(digits[data[i] >> 4]);
		putchar(digits[data[i] & 15]);
	}
	putchar('"');
}

void json_signed(const char *key, int64_t value)
{
	key_colon(key);
	printf("%" PRId64, value);
}

void json_unsigned(const char *key, uint64_t value)
{
	key_colon(key);
	printf("%" PRIu64, value);
}

void json_bool(const char *key, bool value)
{
	key_colon(key);
	fputs(value ? "true" : "false", stdout);
}

void json_array_begin(const char *key)
{
	key_colon(key);
	putchar('[');
	need_comma = false;
}

void json_array_end(void)
{
	putchar(']');
	need_comma = true;
}

void json_item_begin(void)
{
	comma();
	putchar('{');
	need_comma = false;
}

void json_item_end(void)
{
	putchar('}');
	need_comma = true;
}

void json_item_unsigned(uint64_t value)
{
	comma();
	printf("%" PRIu64, value);
}
