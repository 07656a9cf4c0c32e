/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Linux guest: kernel, initramfs and device tree, placed alike in a TVM and
 * in a plain guest of KVM.
 */
#ifndef LINUX_H
#define LINUX_H

#include "guest/shim.h"
#include "tree.h"
#include "tvm.h"

struct linux_guest {
	const char *kernel;
	const char *initrd;
	/* Measured and in front of the kernel; NULL for a guest without one */
	const char *shim;
	const char *cmdline;
	/* Bytes, whole blocks */
	uint64_t memory;
	uint64_t vcpus;
	/* It has a 16550 at SHIM_UART */
	bool uart;
	/* The kernel may be any payload: an ELF file or a flat binary */
	bool payload;
	/* count, pool_size and unpooled; the rest is filled in here */
	struct devices_tree devices;
};

/* Where the pool of shared buffers is: at the end of the guest's memory */
static inline uint64_t linux_pool(const struct linux_guest *guest)
{
	return SHIM_BASE + guest->memory - guest->devices.pool_size;
}

/*
 * Where a payload has its device tree: behind all that it can be linked to. The
 * last block is the one that the shim wants to be zero.
 */
#define PAYLOAD_FDT(memory)	(SHIM_BASE + (memory) - 2 * BLOCK_SIZE)

/* Receives one line with the remedy */
struct why {
	char *text;
	size_t size;
};

/**
 * payload.c: place a payload's file. A flat binary goes 2 MiB into the memory,
 * as on a real machine behind its firmware; an ELF file where it says.
 * @segment: the file's bytes; becomes what is loaded
 * @memory: bytes of the guest's memory
 * @entry: receives where it starts
 */
bool payload_place(struct segment *segment, uint64_t memory, uint64_t *entry,
		   struct why *why);

/**
 * Place all that the guest needs. Files stay mapped for as long as the tool runs.
 * @image: its segments, region and entry
 * @fdt: guest-physical address of the device tree, what the boot vCPU gets in a1
 * @why: receives one line with the remedy when it cannot be done
 */
bool linux_place(const struct linux_guest *guest, struct image *image,
		 uint64_t *fdt, char *why, size_t size);

#endif
