// SPDX-License-Identifier: BSD-2-Clause
#include "driver.h"

int main(void)
{
	test_plic();
	test_blk();
	test_net();
	test_hostile();
	puts("devices of guests: ok");
	return 0;
}
