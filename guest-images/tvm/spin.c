// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that never ends: only the host's interrupts get the hart back.
 */
#include "sbi.h"

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	(void)vcpu_id;
	(void)arg;
	print("spin: start\n");
	for (;;)
		asm volatile("");
}
