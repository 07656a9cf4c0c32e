/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio (OASIS, Virtual I/O Device Version 1.2): split virtqueues, the MMIO
 * transport without its legacy part, and the devices.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define VIRTQ_SIZE	64
#define VIRTIO_QUEUES	2
#define VIRTIO_CONFIG	64

/* 5.x: device ids */
#define VIRTIO_ID_NET	1
#define VIRTIO_ID_BLOCK	2
#define VIRTIO_ID_RNG	4

/* 2.1: device status */
#define VIRTIO_STATUS_DRIVER_OK		4
#define VIRTIO_STATUS_FEATURES_OK	8
#define VIRTIO_STATUS_NEEDS_RESET	64

/* 6: every device has these two: it is no legacy one, and it may not reach all memory. */
#define VIRTIO_F_VERSION_1		(1ULL << 32)
#define VIRTIO_F_ACCESS_PLATFORM	(1ULL << 33)

/* The memory of the guest that devices may touch; size 0: none */
struct window {
	uint64_t base;
	uint64_t size;
	uint8_t *bytes;
};

/* Where a buffer of the guest is for us; NULL unless the window has all of it */
static inline void *window_at(const struct window *window, uint64_t gpa,
			      uint64_t size)
{
	/* In front of the window it is a very large one. */
	uint64_t offset = gpa - window->base;

	if (offset > window->size || size > window->size - offset)
		return NULL;
	return window->bytes + offset;
}

/* queue.c */
struct virtq {
	uint32_t size;
	bool ready;
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
	/* Entries of the available ring that we have taken, of the used one given */
	uint16_t taken;
	uint16_t given;
};

/* A buffer of the driver: what the device reads, then what it writes */
struct chain {
	uint16_t head;
	struct iovec out[VIRTQ_SIZE];
	unsigned int outs;
	uint64_t out_bytes;
	struct iovec in[VIRTQ_SIZE];
	unsigned int ins;
	uint64_t in_bytes;
};

enum virtq_next {
	VIRTQ_CHAIN,
	VIRTQ_EMPTY,
	/* The ring or a buffer is not what the driver may give */
	VIRTQ_BAD,
};

/**
 * Take the next chain.
 * @why: what is wrong with it, for VIRTQ_BAD
 */
enum virtq_next virtq_take(struct virtq *queue, const struct window *window,
			   struct chain *chain, const char **why);
/* Give it back with so many bytes written; false when the ring is gone. */
bool virtq_give(struct virtq *queue, const struct window *window,
		const struct chain *chain, uint32_t written);
/* Whether the driver wants an interrupt for what was given. */
bool virtq_wants_interrupt(const struct virtq *queue,
			   const struct window *window);

/* Copy out of, or into, a list of buffers; returns the bytes copied. */
uint64_t iov_read(const struct iovec *iov, unsigned int count, uint64_t offset,
		  void *to, uint64_t size);
uint64_t iov_write(const struct iovec *iov, unsigned int count,
		   uint64_t offset, const void *from, uint64_t size);

/* mmio.c */
struct virtio_device;

struct virtio_ops {
	uint32_t id;
	uint32_t queues;
	/* Beside the two that all have */
	uint64_t features;
	/* The driver has put something into a queue. */
	void (*notify)(struct virtio_device *device, unsigned int queue);
	void (*close)(struct virtio_device *device);
};

struct virtio_device {
	const struct virtio_ops *ops;
	const struct window *window;
	struct virtq queue[VIRTIO_QUEUES];
	uint8_t config[VIRTIO_CONFIG];
	uint64_t driver_features;
	uint32_t device_select;
	uint32_t driver_select;
	uint32_t queue_select;
	uint32_t interrupts;
	uint8_t status;
	/* What the driver has done wrong, NULL as long as nothing */
	const char *offence;
	/* blk: the file and its sectors */
	int fd;
	uint64_t sectors;
};

uint32_t virtio_load(struct virtio_device *device, uint64_t offset,
		     unsigned int size);
void virtio_store(struct virtio_device *device, uint64_t offset,
		  unsigned int size, uint32_t value);
/* The next chain of a queue; false when there is none, or the driver offends. */
bool virtio_take(struct virtio_device *device, unsigned int queue,
		 struct chain *chain);
void virtio_give(struct virtio_device *device, unsigned int queue,
		 const struct chain *chain, uint32_t written);
/* The driver has broken the rules: the device stops until it is reset. */
void virtio_offend(struct virtio_device *device, const char *why);

/* blk.c, rng.c, net.c */
bool virtio_blk_open(struct virtio_device *device, const char *path, char *why,
		     size_t size);
void virtio_rng_open(struct virtio_device *device);
void virtio_net_open(struct virtio_device *device);

/* peer.c: the other end of the network; returns the size of its answer or 0 */
#define PEER_FRAME_MAX	1514
size_t peer_answer(const uint8_t *frame, size_t size, uint8_t *answer);

#endif
