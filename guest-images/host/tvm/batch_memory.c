// SPDX-License-Identifier: BSD-2-Clause
/*
 * The host's own accesses between the calls of a batch. A fault is an answer,
 * the same as a refused address.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "call.h"

#define CHUNK	(16 * PAGE_SIZE)

static uint8_t buffer[CHUNK] __attribute__((aligned(8)));

static int device(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = device_open();
	return fd;
}

/* Returns false when the driver refuses; a fault is in call->error. */
static bool access_memory(unsigned long request, uint64_t addr, uint64_t size,
			  struct covh_call *call)
{
	struct covh_mem mem = {
		.addr = addr, .buf = (uintptr_t)buffer, .len = size,
	};

	if (device() < 0)
		return false;
	if (ioctl(device(), request, &mem)) {
		fprintf(stderr, "tvm: %#llx: %s\n", (unsigned long long)addr,
			strerror(errno));
		return false;
	}
	if (mem.fault)
		call->error = COVE_ERR_INVALID_ADDRESS;
	return true;
}

static uint64_t count_nonzero(uint64_t size)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < size; i += sizeof(uint64_t))
		count += *(const uint64_t *)(buffer + i) != 0;
	return count;
}

static void fill_buffer(uint64_t value)
{
	for (size_t i = 0; i < CHUNK; i += sizeof(value))
		memcpy(buffer + i, &value, sizeof(value));
}

static bool each_chunk(unsigned long request, struct covh_call *call)
{
	uint64_t left = call->args[1];

	for (uint64_t at = call->args[0]; left && !call->error;) {
		uint64_t size = left < CHUNK ? left : CHUNK;

		if (!access_memory(request, at, size, call))
			return false;
		if (request == COVH_PEEK && !call->error)
			call->value += count_nonzero(size);
		at += size;
		left -= size;
	}
	return true;
}

/**
 * Do what a line says behind the word `host`:
 *	read ADDR		value: the 8 bytes there
 *	write ADDR VALUE	8 bytes
 *	fill ADDR BYTES VALUE	8 bytes again and again
 *	nonzero ADDR BYTES	value: how many words of 8 bytes are not 0
 */
bool memory_line(struct args *args, struct covh_call *call)
{
	const char *what = args_word(args, "what the host does");

	call->args[0] = args_number(args, "ADDR");
	if (!strcmp(what, "read")) {
		memset(buffer, 0, 8);
		if (!access_memory(COVH_PEEK, call->args[0], 8, call))
			return false;
		memcpy(&call->value, buffer, call->error ? 0 : 8);
		return true;
	}
	call->args[1] = args_number(args, "BYTES or VALUE");
	if (!strcmp(what, "write")) {
		fill_buffer(call->args[1]);
		return access_memory(COVH_POKE, call->args[0], 8, call);
	}
	if (!strcmp(what, "nonzero"))
		return each_chunk(COVH_PEEK, call);
	if (strcmp(what, "fill"))
		usage_error("the host does read, write, fill or nonzero, not \"%s\"", what);
	fill_buffer(args_number(args, "VALUE"));
	return each_chunk(COVH_POKE, call);
}
