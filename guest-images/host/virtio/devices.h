/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices of a Linux guest, the same for a TVM and a plain guest of KVM:
 * virtio-mmio devices behind a PLIC. The VMM gives them the accesses of its
 * guest to their registers, and a window: the memory of the guest that they may
 * touch. It makes all calls under one lock of its own.
 */
#ifndef DEVICES_H
#define DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "plic.h"
#include "virtio.h"

/* Where they are, as on QEMU's virt machine */
#define DEVICES_PLIC		0x0c000000UL
#define DEVICES_VIRTIO		0x10001000UL
#define DEVICES_STRIDE		0x1000UL
#define DEVICES_MAX		8

/* What the command line asks for; paths and backends stay the caller's. */
struct devices_wish {
	const char *disks[DEVICES_MAX];
	unsigned int disk_count;
	bool rng;
	bool net;
};

struct devices {
	struct window window;
	struct plic plic;
	struct virtio_device device[DEVICES_MAX];
	unsigned int count;
};

/* How many devices that is; 0: the guest has none, and no PLIC */
unsigned int devices_wished(const struct devices_wish *wish);

/**
 * Open all backends.
 * @why: receives one line with the remedy if that fails
 */
bool devices_open(struct devices *devices, const struct devices_wish *wish,
		  char *why, unsigned int size);
void devices_close(struct devices *devices);

/**
 * An access of the guest to a register.
 * @size: bytes
 * @value: what it stores, or receives what it loads
 * Returns false when there is no register.
 */
bool devices_access(struct devices *devices, uint64_t gpa, bool store,
		    unsigned int size, uint64_t *value);

/* Whether vCPU 0 has an external interrupt pending now */
bool devices_interrupt(const struct devices *devices);

/**
 * What the guest has done that no driver may: an address outside the window, a
 * ring that is none. NULL when nothing.
 */
const char *devices_offence(const struct devices *devices);

#endif
