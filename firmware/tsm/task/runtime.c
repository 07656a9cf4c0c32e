// SPDX-License-Identifier: BSD-2-Clause
/* What mbedTLS and the compiler call in the task and nowhere else. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int __clzdi2(uint64_t value);
uint32_t __bswapsi2(uint32_t value);

/* mbedTLS gives up when its heap is damaged: so does the task. */
void exit(int status)
{
	(void)status;
	__builtin_trap();
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int __clzdi2(uint64_t value)
{
	int zeros = 0;

	/* By halves: the arithmetic of large numbers asks often. */
	for (int step = 32; step; step /= 2)
		if (!(value >> (64 - step))) {
			zeros += step;
			value <<= step;
		}
	return zeros;
}

uint32_t __bswapsi2(uint32_t value)
{
	return value >> 24 | (value >> 8 & 0xff00) | (value & 0xff00) << 8 |
	       value << 24;
}
