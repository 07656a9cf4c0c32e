/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the VMM that builds a Linux TVM and the measured boot shim in it. The
 * parameters are measured like the shim itself, so what it declares is part of
 * what the TVM is.
 */
#ifndef SHIM_H
#define SHIM_H

#include <stdint.h>

/** Guest-physical base of the TVM's memory, where the shim starts */
#define SHIM_BASE		0x80000000UL

/** Where the page with struct shim_params is */
#define SHIM_PARAMS		(SHIM_BASE + 0x10000)

/** The flattened device tree, in front of the kernel */
#define SHIM_FDT		(SHIM_BASE + 0x11000)

/** Where a guest has its 16550, as QEMU's virt machine does */
#define SHIM_UART		0x10000000UL
#define SHIM_UART_SIZE		0x1000UL

#define SHIM_MAGIC		0x316d696873637474ULL /* "ttcshim1" */
#define SHIM_MAX_STEPS		16

/** What the shim does with a range before the kernel runs */
enum shim_kind {
	/** COVG add_mmio_region */
	SHIM_MMIO = 1,
	/** Memory that nobody has measured has to be zero */
	SHIM_ZERO = 2,
	/** COVG share_memory_region */
	SHIM_SHARE = 3,
	/** COVG allow_external_interrupt of the number in base, for this vCPU */
	SHIM_ALLOW = 4,
};

struct shim_step {
	uint64_t kind;
	uint64_t base;
	uint64_t size;
};

struct shim_params {
	uint64_t magic;
	/** Where the kernel starts */
	uint64_t entry;
	uint64_t count;
	struct shim_step steps[SHIM_MAX_STEPS];
};

#endif
