// SPDX-License-Identifier: BSD-2-Clause
#include "task/cbor.h"

#include <string.h>

/* Major types */
enum {
	UNSIGNED = 0,
	NEGATIVE = 1,
	BYTES = 2,
	TEXT = 3,
	ARRAY = 4,
	MAP = 5,
	TAG = 6,
};

void cbor_raw(struct cbor *cbor, const void *bytes, size_t size)
{
	/* Once something did not fit nothing more is written. */
	if (cbor_fits(cbor) && size <= cbor->room - cbor->used)
		memcpy(cbor->out + cbor->used, bytes, size);
	cbor->used += size;
}

/* The shortest form, as deterministic encoding wants it. */
static void head(struct cbor *cbor, unsigned int major, uint64_t value)
{
	unsigned int log = value < 24 ? 0 : value <= 0xff ? 1 :
			   value <= 0xffff ? 2 : value <= 0xffffffff ? 3 : 4;
	unsigned int size = log ? 1U << (log - 1) : 0;
	uint8_t bytes[9];
	unsigned int i;

	bytes[0] = major << 5 | (log ? 23 + log : value);
	for (i = 0; i < size; i++)
		bytes[1 + i] = value >> (8 * (size - 1 - i));
	cbor_raw(cbor, bytes, 1 + size);
}

void cbor_int(struct cbor *cbor, int64_t value)
{
	if (value < 0)
		head(cbor, NEGATIVE, ~(uint64_t)value);
	else
		head(cbor, UNSIGNED, value);
}

void cbor_bytes_head(struct cbor *cbor, size_t size)
{
	head(cbor, BYTES, size);
}

void cbor_bytes(struct cbor *cbor, const void *bytes, size_t size)
{
	cbor_bytes_head(cbor, size);
	cbor_raw(cbor, bytes, size);
}

void cbor_text(struct cbor *cbor, const char *text)
{
	size_t size = strlen(text);

	head(cbor, TEXT, size);
	cbor_raw(cbor, text, size);
}

void cbor_array(struct cbor *cbor, size_t items)
{
	head(cbor, ARRAY, items);
}

void cbor_map(struct cbor *cbor, size_t pairs)
{
	head(cbor, MAP, pairs);
}

void cbor_tag(struct cbor *cbor, uint64_t tag)
{
	head(cbor, TAG, tag);
}
