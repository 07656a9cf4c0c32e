// SPDX-License-Identifier: BSD-2-Clause
/* Text for the log ring and the panic message. */
#include "lib/lib.h"

/* Where the text goes, and how much of it fits. */
struct sink {
	char *out;
	size_t size;
	size_t used;
};

static void put_char(struct sink *sink, char c)
{
	/* One byte stays free for the zero at the end. */
	if (sink->used + 1 < sink->size)
		sink->out[sink->used++] = c;
}

static void put_text(struct sink *sink, const char *text)
{
	while (*text)
		put_char(sink, *text++);
}

static void put_number(struct sink *sink, u64 value, unsigned int base)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put_char(sink, digits[--n]);
}

static void put_signed(struct sink *sink, int value)
{
	if (value < 0)
		put_char(sink, '-');
	put_number(sink, value < 0 ? -(s64)value : value, 10);
}

/* Print one conversion; text points behind the per cent sign. */
static const char *put_conversion(struct sink *sink, const char *text,
				  va_list *args)
{
	bool wide = *text == 'l';
	char kind = wide ? *++text : *text;

	switch (kind) {
	case 's':
		put_text(sink, va_arg(*args, const char *));
		break;
	case 'd':
		put_signed(sink, va_arg(*args, int));
		break;
	case 'u':
	case 'x':
		put_number(sink,
			   wide ? va_arg(*args, u64) :
				  va_arg(*args, unsigned int),
			   kind == 'u' ? 10 : 16);
		break;
	case '%':
		put_char(sink, '%');
		break;
	default:
		return text;
	}
	return text + 1;
}

size_t format_args(char *out, size_t size, const char *text, va_list args)
{
	struct sink sink = { .out = out, .size = size };
	va_list copy;

	if (!size)
		return 0;
	/* A va_list parameter may be an array: only a copy can be pointed to. */
	va_copy(copy, args);
	while (*text) {
		if (*text != '%')
			put_char(&sink, *text++);
		else
			text = put_conversion(&sink, text + 1, &copy);
	}
	va_end(copy);
	out[sink.used] = 0;
	return sink.used;
}

size_t format(char *out, size_t size, const char *text, ...)
{
	va_list args;
	size_t used;

	va_start(args, text);
	used = format_args(out, size, text, args);
	va_end(args);
	return used;
}
