/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers: RISC-V Platform-Level Interrupt Controller Specification 1.0.0 */
#ifndef PLIC_H
#define PLIC_H

#include <stdbool.h>
#include <stdint.h>

#define PLIC_SIZE	0x400000UL
#define PLIC_SOURCES	31

/* Bit n is source n; there is no source 0. */
struct plic {
	uint32_t priority[PLIC_SOURCES + 1];
	uint32_t threshold;
	/* The lines as the devices drive them */
	uint32_t level;
	uint32_t enabled;
	/* Claimed and not completed */
	uint32_t claimed;
};

uint32_t plic_load(struct plic *plic, uint64_t offset);
void plic_store(struct plic *plic, uint64_t offset, uint32_t value);
bool plic_interrupt(const struct plic *plic);

#endif
