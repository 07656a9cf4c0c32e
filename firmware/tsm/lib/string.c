// SPDX-License-Identifier: BSD-2-Clause
/*
 * The four memory functions that a freestanding compiler still calls. Pages
 * are copied and scrubbed through them, so whole words are moved where the
 * alignment allows it.
 */
#include <stdint.h>
#include <string.h>

#define WORD		sizeof(uint64_t)

static int words(uintptr_t a, uintptr_t b, size_t size)
{
	return !((a | b | size) & (WORD - 1));
}

void *memcpy(void *to, const void *from, size_t size)
{
	size_t i;

	if (words((uintptr_t)to, (uintptr_t)from, size)) {
		for (i = 0; i < size / WORD; i++)
			((uint64_t *)to)[i] = ((const uint64_t *)from)[i];
		return to;
	}
	for (i = 0; i < size; i++)
		((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	size_t i;

	if ((uintptr_t)to - (uintptr_t)from >= size)
		return memcpy(to, from, size);
	/* The target starts inside the source: copy from the end. */
	for (i = size; i > 0; i--)
		((uint8_t *)to)[i - 1] = ((const uint8_t *)from)[i - 1];
	return to;
}

void *memset(void *to, int value, size_t size)
{
	uint64_t word = (uint8_t)value * 0x0101010101010101UL;
	size_t i;

	if (words((uintptr_t)to, 0, size)) {
		for (i = 0; i < size / WORD; i++)
			((uint64_t *)to)[i] = word;
		return to;
	}
	for (i = 0; i < size; i++)
		((uint8_t *)to)[i] = (uint8_t)value;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;
	size_t i;

	for (i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t strlen(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}
