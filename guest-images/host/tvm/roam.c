// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm run --roam: the vCPU is on another CPU at every turn.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "tvm.h"

/* The CPUs of the beginning: each move leaves only one of them. */
static cpu_set_t allowed;
static int here = -1;

static int next_cpu(void)
{
	int cpu = here;

	do
		cpu = (cpu + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(cpu, &allowed));
	return cpu;
}

void roam(struct covh_run *run)
{
	cpu_set_t one;

	if (here < 0 && sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	here = next_cpu();
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	/* A CPU that went offline meanwhile is left out. */
	if (sched_setaffinity(0, sizeof(one), &one))
		return;
	/* The host's tick alone moves it on, too. */
	run->max_interrupts = 1;
}
