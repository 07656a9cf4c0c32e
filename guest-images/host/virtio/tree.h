/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's device tree and its boot shim have to know of its devices. */
#ifndef DEVICES_TREE_H
#define DEVICES_TREE_H

#include <stdint.h>

struct fdt;

#define DEVICES_MAX_VCPUS	8

struct devices_tree {
	/* 0: no devices, and nothing else of this */
	unsigned int count;
	uint64_t vcpus;
	/* What the guest shares for their buffers; size 0: they reach all of it */
	uint64_t pool;
	uint64_t pool_size;
	/* Bit n: the kernel is not told that device n has to use it */
	uint32_t unpooled;
};

void devices_put_tree(struct fdt *fdt, const struct devices_tree *tree);

#endif
