// SPDX-License-Identifier: BSD-2-Clause
/*
 * A PLIC whose contexts are all one: whatever the guest enables for one of its
 * vCPUs is taken by vCPU 0. In a TVM only that vCPU has allowed external
 * interrupts, in its boot shim, and no other one could be interrupted; a kernel
 * that moves an interrupt to another CPU gets it at CPU 0 as before.
 */
#include "plic.h"

#define PENDING		0x1000
#define ENABLE		0x2000
#define ENABLE_STRIDE	0x80
#define CONTEXT		0x200000
#define CONTEXT_STRIDE	0x1000
#define CLAIM		4

/* The source with the highest priority, of those the lowest number; 0: none */
static uint32_t best(const struct plic *plic)
{
	uint32_t waiting = plic->level & plic->enabled & ~plic->claimed;
	uint32_t found = 0, priority = plic->threshold;

	for (uint32_t source = 1; source <= PLIC_SOURCES; source++)
		if (waiting >> source & 1 && plic->priority[source] > priority) {
			found = source;
			priority = plic->priority[source];
		}
	return found;
}

bool plic_interrupt(const struct plic *plic)
{
	return best(plic);
}

static uint32_t claim(struct plic *plic)
{
	uint32_t source = best(plic);

	plic->claimed |= source ? 1U << source : 0;
	return source;
}

uint32_t plic_load(struct plic *plic, uint64_t offset)
{
	if (offset < 4 * (PLIC_SOURCES + 1))
		return plic->priority[offset / 4];
	if (offset == PENDING)
		return plic->level & ~plic->claimed;
	if (offset >= CONTEXT)
		return offset % CONTEXT_STRIDE == CLAIM ? claim(plic) :
		       offset % CONTEXT_STRIDE ? 0 : plic->threshold;
	if (offset >= ENABLE && offset % ENABLE_STRIDE == 0)
		return plic->enabled;
	return 0;
}

void plic_store(struct plic *plic, uint64_t offset, uint32_t value)
{
	if (offset < 4 * (PLIC_SOURCES + 1)) {
		plic->priority[offset / 4] = value & 7;
	} else if (offset >= CONTEXT) {
		if (offset % CONTEXT_STRIDE == 0)
			plic->threshold = value & 7;
		else if (offset % CONTEXT_STRIDE == CLAIM && value &&
			 value <= PLIC_SOURCES)
			plic->claimed &= ~(1U << value);
	} else if (offset >= ENABLE && offset % ENABLE_STRIDE == 0) {
		plic->enabled = value & ~1U;
	}
}
