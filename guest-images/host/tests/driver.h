/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver of the devices, good or hostile. The window is a block of the heap of
 * exactly its size, so that ASan sees an access beside it.
 */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"

#define BASE		0x87c00000UL
#define SIZE		0x8000UL
#define SECTORS		16
#define SECTOR		512

/* Where the parts of queue n are, and buffers behind them */
#define DESC(n)		(BASE + (n) * 0x1000)
#define AVAIL(n)	(BASE + (n) * 0x1000 + 0x500)
#define USED(n)		(BASE + (n) * 0x1000 + 0x800)
#define BUFFERS		(BASE + 0x3000)

#define NEXT		1
#define WRITE		2
#define INDIRECT	4

#define CHECK(condition)						\
	do {								\
		if (!(condition)) {					\
			fprintf(stderr, "%s:%d: %s\n", __FILE__,	\
				__LINE__, #condition);			\
			exit(1);					\
		}							\
	} while (0)

struct driver {
	struct devices devices;
	/* Of the disk */
	char path[32];
	uint16_t given[3];
};

struct buffer {
	uint64_t address;
	uint32_t size;
	uint16_t flags;
	uint16_t next;
};

/* Disk, random bytes and network; the first two queues of the last one */
enum { DISK, RNG, NET };

void begin(struct driver *driver);
void end(struct driver *driver);
uint32_t load(struct driver *driver, unsigned int device, uint64_t offset);
void store(struct driver *driver, unsigned int device, uint64_t offset,
	   uint32_t value);
/* Bring a device to DRIVER_OK, with its queues at DESC, AVAIL and USED. */
void start(struct driver *driver, unsigned int device);
void put(struct driver *driver, uint64_t gpa, const void *bytes, size_t size);
void get(struct driver *driver, uint64_t gpa, void *bytes, size_t size);
void describe(struct driver *driver, unsigned int queue, unsigned int number,
	      struct buffer buffer);
/* Put the chain that begins at a descriptor into the ring, and notify. */
void offer(struct driver *driver, unsigned int device, unsigned int queue,
	   uint16_t head);
uint16_t used(struct driver *driver, unsigned int queue);
uint32_t used_size(struct driver *driver, unsigned int queue,
		   unsigned int number);
/* A request to the disk of so many bytes at BUFFERS + 0x100; its status */
uint8_t request(struct driver *driver, uint32_t type, uint64_t sector,
		uint32_t size);

void test_blk(void);
void test_hostile(void);
void test_net(void);
void test_plic(void);

#endif
