// SPDX-License-Identifier: BSD-2-Clause
/* Which devices there are, where, and what interrupts. */
#include <stdio.h>

#include "devices.h"

unsigned int devices_wished(const struct devices_wish *wish)
{
	return wish->disk_count + wish->rng + wish->net;
}

bool devices_open(struct devices *devices, const struct devices_wish *wish,
		  char *why, unsigned int size)
{
	if (devices_wished(wish) > DEVICES_MAX) {
		snprintf(why, size, "%u devices; a guest has at most %d",
			 devices_wished(wish), DEVICES_MAX);
		return false;
	}
	for (unsigned int i = 0; i < DEVICES_MAX; i++)
		devices->device[i].window = &devices->window;
	for (unsigned int i = 0; i < wish->disk_count; i++) {
		if (!virtio_blk_open(&devices->device[devices->count],
				     wish->disks[i], why, size))
			return false;
		devices->count++;
	}
	if (wish->rng)
		virtio_rng_open(&devices->device[devices->count++]);
	if (wish->net)
		virtio_net_open(&devices->device[devices->count++]);
	return true;
}

void devices_close(struct devices *devices)
{
	for (unsigned int i = 0; i < devices->count; i++)
		if (devices->device[i].ops->close)
			devices->device[i].ops->close(&devices->device[i]);
	devices->count = 0;
}

/* Source n + 1 is device n's. */
static void drive_lines(struct devices *devices)
{
	devices->plic.level = 0;
	for (unsigned int i = 0; i < devices->count; i++)
		if (devices->device[i].interrupts)
			devices->plic.level |= 1U << (i + 1);
}

static void access_plic(struct plic *plic, uint64_t offset, bool store,
			uint64_t *value)
{
	if (store)
		plic_store(plic, offset, *value);
	else
		*value = plic_load(plic, offset);
}

static void access_virtio(struct virtio_device *device, uint64_t offset,
			  bool store, unsigned int size, uint64_t *value)
{
	if (store)
		virtio_store(device, offset, size, *value);
	else
		*value = virtio_load(device, offset, size);
}

bool devices_access(struct devices *devices, uint64_t gpa, bool store,
		    unsigned int size, uint64_t *value)
{
	uint64_t plic = gpa - DEVICES_PLIC, virtio = gpa - DEVICES_VIRTIO;

	if (!devices->count)
		return false;
	if (gpa >= DEVICES_PLIC && plic < PLIC_SIZE)
		access_plic(&devices->plic, plic, store, value);
	else if (gpa >= DEVICES_VIRTIO &&
		 virtio / DEVICES_STRIDE < devices->count)
		access_virtio(&devices->device[virtio / DEVICES_STRIDE],
			      virtio % DEVICES_STRIDE, store, size, value);
	else
		return false;
	drive_lines(devices);
	return true;
}

bool devices_interrupt(const struct devices *devices)
{
	return plic_interrupt(&devices->plic);
}

const char *devices_offence(const struct devices *devices)
{
	for (unsigned int i = 0; i < devices->count; i++)
		if (devices->device[i].offence)
			return devices->device[i].offence;
	return NULL;
}
