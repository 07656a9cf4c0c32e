// SPDX-License-Identifier: BSD-2-Clause
/* The MMIO transport of virtio 1.2 (4.2), version 2 of its registers. */
#include <string.h>

#include "virtio.h"

enum {
	MAGIC = 0x000, VERSION = 0x004, DEVICE_ID = 0x008, VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010, DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020, DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030, QUEUE_SIZE_MAX = 0x034, QUEUE_SIZE = 0x038,
	QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060, INTERRUPT_ACK = 0x064, STATUS = 0x070,
	QUEUE_DESC_LOW = 0x080, QUEUE_DESC_HIGH = 0x084,
	QUEUE_DRIVER_LOW = 0x090, QUEUE_DRIVER_HIGH = 0x094,
	QUEUE_DEVICE_LOW = 0x0a0, QUEUE_DEVICE_HIGH = 0x0a4,
	CONFIG_GENERATION = 0x0fc, CONFIG = 0x100,
};

#define MAGIC_VALUE		0x74726976
#define VENDOR			0x65657463
#define INTERRUPT_USED		1
#define INTERRUPT_CONFIG	2
#define MUST			(VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM)

static uint64_t offered(const struct virtio_device *device)
{
	return MUST | device->ops->features;
}

static void reset(struct virtio_device *device)
{
	memset(device->queue, 0, sizeof(device->queue));
	device->driver_features = 0;
	device->device_select = 0;
	device->driver_select = 0;
	device->queue_select = 0;
	device->interrupts = 0;
	device->status = 0;
}

void virtio_offend(struct virtio_device *device, const char *why)
{
	if (!device->offence)
		device->offence = why;
	device->status |= VIRTIO_STATUS_NEEDS_RESET;
	device->interrupts |= INTERRUPT_CONFIG;
}

static struct virtq *selected(struct virtio_device *device)
{
	return device->queue_select < device->ops->queues ?
	       &device->queue[device->queue_select] : NULL;
}

static uint32_t load_config(const struct virtio_device *device,
			    uint64_t offset, unsigned int size)
{
	uint32_t value = 0;

	if (size <= sizeof(value) && offset <= VIRTIO_CONFIG - size)
		memcpy(&value, device->config + offset, size);
	return value;
}

static uint32_t load_queue(struct virtio_device *device, uint64_t offset)
{
	const struct virtq *queue = selected(device);

	if (!queue)
		return 0;
	return offset == QUEUE_SIZE_MAX ? VIRTQ_SIZE : queue->ready;
}

uint32_t virtio_load(struct virtio_device *device, uint64_t offset,
		     unsigned int size)
{
	if (offset >= CONFIG)
		return load_config(device, offset - CONFIG, size);
	switch (offset) {
	case MAGIC:
		return MAGIC_VALUE;
	case VERSION:
		return 2;
	case DEVICE_ID:
		return device->ops->id;
	case VENDOR_ID:
		return VENDOR;
	case DEVICE_FEATURES:
		return device->device_select > 1 ? 0 :
		       offered(device) >> 32 * device->device_select;
	case QUEUE_SIZE_MAX:
	case QUEUE_READY:
		return load_queue(device, offset);
	case INTERRUPT_STATUS:
		return device->interrupts;
	case STATUS:
		return device->status;
	default:
		return 0;
	}
}

/*
 * Features that were not offered, or one of the two that are a must missing: a
 * driver without ACCESS_PLATFORM would give addresses that are not shared.
 */
static void set_status(struct virtio_device *device, uint32_t value)
{
	uint8_t broken = device->status & VIRTIO_STATUS_NEEDS_RESET;

	if (!value) {
		reset(device);
		return;
	}
	if (device->driver_features & ~offered(device) ||
	    (device->driver_features & MUST) != MUST)
		value &= ~VIRTIO_STATUS_FEATURES_OK;
	device->status = value | broken;
}

static void set_ready(struct virtio_device *device, struct virtq *queue,
		      uint32_t value)
{
	/* 2.7: a power of two */
	if (value && (!queue->size || queue->size > VIRTQ_SIZE ||
		      queue->size & (queue->size - 1)))
		virtio_offend(device, "a queue of a size that there is not");
	else
		queue->ready = value & 1;
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	unsigned int shift = high ? 32 : 0;

	*address &= ~(0xffffffffULL << shift);
	*address |= (uint64_t)value << shift;
}

static void store_queue(struct virtio_device *device, uint64_t offset,
			uint32_t value)
{
	struct virtq *queue = selected(device);

	/* The addresses are looked at when they are used: a ready one keeps them. */
	if (!queue || (queue->ready && offset != QUEUE_READY))
		return;
	switch (offset) {
	case QUEUE_SIZE:
		queue->size = value;
		break;
	case QUEUE_READY:
		set_ready(device, queue, value);
		break;
	case QUEUE_DESC_LOW:
	case QUEUE_DESC_HIGH:
		set_half(&queue->descriptors, offset == QUEUE_DESC_HIGH, value);
		break;
	case QUEUE_DRIVER_LOW:
	case QUEUE_DRIVER_HIGH:
		set_half(&queue->available, offset == QUEUE_DRIVER_HIGH, value);
		break;
	case QUEUE_DEVICE_LOW:
	case QUEUE_DEVICE_HIGH:
		set_half(&queue->used, offset == QUEUE_DEVICE_HIGH, value);
		break;
	}
}

static bool works(const struct virtio_device *device, unsigned int queue)
{
	return device->status & VIRTIO_STATUS_DRIVER_OK &&
	       !(device->status & VIRTIO_STATUS_NEEDS_RESET) &&
	       queue < device->ops->queues && device->queue[queue].ready;
}

void virtio_store(struct virtio_device *device, uint64_t offset,
		  unsigned int size, uint32_t value)
{
	/* Registers are words; the configuration of these devices is read-only. */
	if (size != 4 || offset >= CONFIG)
		return;
	switch (offset) {
	case DEVICE_FEATURES_SEL:
		device->device_select = value;
		break;
	case DRIVER_FEATURES_SEL:
		device->driver_select = value;
		break;
	case DRIVER_FEATURES:
		if (device->driver_select <= 1)
			set_half(&device->driver_features,
				 device->driver_select, value);
		break;
	case QUEUE_SEL:
		device->queue_select = value;
		break;
	case QUEUE_NOTIFY:
		if (works(device, value))
			device->ops->notify(device, value);
		break;
	case INTERRUPT_ACK:
		device->interrupts &= ~value;
		break;
	case STATUS:
		set_status(device, value);
		break;
	default:
		store_queue(device, offset, value);
	}
}

bool virtio_take(struct virtio_device *device, unsigned int queue,
		 struct chain *chain)
{
	const char *why;

	if (!works(device, queue))
		return false;
	switch (virtq_take(&device->queue[queue], device->window, chain, &why)) {
	case VIRTQ_CHAIN:
		return true;
	case VIRTQ_BAD:
		virtio_offend(device, why);
		return false;
	default:
		return false;
	}
}

void virtio_give(struct virtio_device *device, unsigned int queue,
		 const struct chain *chain, uint32_t written)
{
	struct virtq *at = &device->queue[queue];

	if (!virtq_give(at, device->window, chain, written))
		virtio_offend(device, "a ring that it does not share");
	else if (virtq_wants_interrupt(at, device->window))
		device->interrupts |= INTERRUPT_USED;
}
