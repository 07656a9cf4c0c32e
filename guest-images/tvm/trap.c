// SPDX-License-Identifier: BSD-2-Clause
#include "sbi.h"

void trapped(unsigned long scause, unsigned long sepc, unsigned long stval)
{
	print("guest: trap scause=");
	print_hex64(scause);
	print(" sepc=");
	print_hex64(sepc);
	print(" stval=");
	print_hex64(stval);
	print("\n");
	shutdown();
}
