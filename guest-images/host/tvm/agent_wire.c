// SPDX-License-Identifier: BSD-2-Clause
/* Checksums, and bytes on their way to the harness. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* Bytes in one armoured line: short, so that noise spoils little. */
#define ARMOUR_SIZE 192
#define CRC_POLYNOMIAL 0xedb88320u

static uint32_t table[4][256];

static void make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int n = 1; n < 4; n++)
			table[n][i] = (table[n - 1][i] >> 8) ^
				      table[0][table[n - 1][i] & 0xff];
}

/** CRC-32 as in zlib, four bytes at a time, of what follows what has `crc`. */
uint32_t crc32_more(uint32_t crc, const char *data, size_t length)
{
	const uint8_t *at = (const uint8_t *)data;
	uint32_t word;

	if (!table[0][1])
		make_table();
	crc = ~crc;
	for (; length >= 4; length -= 4, at += 4) {
		memcpy(&word, at, sizeof(word));
		crc ^= word;
		crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^
		      table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
	}
	while (length--)
		crc = (crc >> 8) ^ table[0][(crc ^ *at++) & 0xff];
	return ~crc;
}

/** Write all of it, however long the harness takes. */
void put_all(int fd, const char *data, size_t length)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	ssize_t done;

	while (length) {
		done = write(fd, data, length);
		if (done > 0) {
			data += done;
			length -= done;
		} else if (done < 0 && errno == EAGAIN) {
			poll(&ready, 1, -1);
		} else if (done < 0 && errno != EINTR) {
			return;
		}
	}
}

/** Write the parts in one piece where they are short: each is work outside. */
void put_parts(int fd, const struct iovec *parts, int count)
{
	char together[4096];
	size_t length = 0;

	for (int i = 0; i < count; i++) {
		if (length + parts[i].iov_len > sizeof(together)) {
			put_all(fd, together, length);
			length = 0;
		}
		if (parts[i].iov_len > sizeof(together)) {
			put_all(fd, parts[i].iov_base, parts[i].iov_len);
		} else if (parts[i].iov_len) {
			memcpy(together + length, parts[i].iov_base,
			       parts[i].iov_len);
			length += parts[i].iov_len;
		}
	}
	put_all(fd, together, length);
}

void put_line(int fd, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	put_all(fd, line, length);
}

static size_t base64(char *to, const uint8_t *from, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *start = to;

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t bits = from[i] << 16;

		bits |= left > 1 ? from[i + 1] << 8 : 0;
		bits |= left > 2 ? from[i + 2] : 0;
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[bits & 63] : '=';
	}
	return to - start;
}

/**
 * Send a range of the output again, as lines that say where they belong and
 * have a checksum each: what noise spoils can be told and asked for again.
 */
void put_armoured(int fd, const char *id, const char *data, size_t from,
		  size_t to)
{
	char line[LINE_SIZE + 2 * ARMOUR_SIZE];

	for (; from < to; from += ARMOUR_SIZE) {
		size_t size = to - from < ARMOUR_SIZE ? to - from : ARMOUR_SIZE;
		int head = snprintf(line, sizeof(line), "TEEDATA-%s %zu %08x ",
				    id, from, crc32_more(0, data + from, size));
		size_t end = head + base64(line + head,
					   (const uint8_t *)data + from, size);

		line[end++] = '\n';
		put_all(fd, line, end);
	}
}

/** Return where `more` bytes can be put behind those there are, or NULL. */
char *bytes_room(struct bytes *bytes, size_t more)
{
	size_t room = bytes->room ? bytes->room : 1 << 16;
	char *data;

	while (room - bytes->length < more)
		room *= 2;
	if (room != bytes->room) {
		data = realloc(bytes->data, room);
		if (!data)
			return NULL;
		bytes->data = data;
		bytes->room = room;
	}
	return bytes->data + bytes->length;
}
