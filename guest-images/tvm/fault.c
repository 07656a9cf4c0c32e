// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that loads from a guest-physical address that no region covers.
 */
#include "sbi.h"

#define NOWHERE	0x10UL

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	unsigned long value;

	(void)vcpu_id;
	(void)arg;
	print("fault: start\n");
	asm volatile("ld %0, 0(%1)" : "=r"(value) : "r"(NOWHERE));
	print("fault: not stopped\n");
}
