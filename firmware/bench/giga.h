/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GIGA_H
#define GIGA_H

/** Where the guest has 1 GiB of memory, and what it is */
#define GIGA_GPA	0x400000000
#define GIGA		0x40000000
#define BLOCK		0x200000

/** Where in it the guest looks and writes: ends of pages of every size */
#define GIGA_PROBES							\
	0x0, 0x1000, 0x1ffff8, 0x200000, 0x20000000, 0x20001000,	\
	0x201ffff8, 0x3fe00000, 0x3fffeff8, 0x3ffffff8

#endif
