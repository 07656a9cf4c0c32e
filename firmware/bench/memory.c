/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiler makes calls of them where structures are cleared or copied. */
void *memset(void *to, int value, unsigned long count)
{
	unsigned char *byte = to;

	while (count--)
		*byte++ = value;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long count)
{
	unsigned char *byte = to;
	const unsigned char *source = from;

	while (count--)
		*byte++ = *source++;
	return to;
}
