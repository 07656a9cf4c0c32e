// SPDX-License-Identifier: BSD-2-Clause
/* What the compiler calls where the base instruction set has no instruction. */
#include <stdint.h>

uint64_t __bswapdi2(uint64_t value);

uint64_t __bswapdi2(uint64_t value)
{
	value = value >> 32 | value << 32;
	value = (value >> 16 & 0x0000ffff0000ffffUL) |
		(value & 0x0000ffff0000ffffUL) << 16;
	return (value >> 8 & 0x00ff00ff00ff00ffUL) |
	       (value & 0x00ff00ff00ff00ffUL) << 8;
}
