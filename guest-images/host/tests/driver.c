// SPDX-License-Identifier: BSD-2-Clause
#include <unistd.h>

#include "driver.h"

void begin(struct driver *driver)
{
	static const uint8_t zero[SECTORS * SECTOR];
	struct devices_wish wish = { .disk_count = 1, .rng = true, .net = true };
	char why[128];
	int fd;

	memset(driver, 0, sizeof(*driver));
	strcpy(driver->path, "/tmp/virtio-XXXXXX");
	fd = mkstemp(driver->path);
	CHECK(fd >= 0 && write(fd, zero, sizeof(zero)) == sizeof(zero));
	close(fd);
	wish.disks[0] = driver->path;
	CHECK(devices_open(&driver->devices, &wish, why, sizeof(why)));
	driver->devices.window = (struct window){
		.base = BASE, .size = SIZE, .bytes = calloc(1, SIZE),
	};
	CHECK(driver->devices.window.bytes);
}

void end(struct driver *driver)
{
	devices_close(&driver->devices);
	free(driver->devices.window.bytes);
	unlink(driver->path);
}

static uint64_t address(unsigned int device, uint64_t offset)
{
	return DEVICES_VIRTIO + device * DEVICES_STRIDE + offset;
}

uint32_t load(struct driver *driver, unsigned int device, uint64_t offset)
{
	uint64_t value = 0;

	CHECK(devices_access(&driver->devices, address(device, offset), false,
			     4, &value));
	return value;
}

void store(struct driver *driver, unsigned int device, uint64_t offset,
	   uint32_t value)
{
	uint64_t wide = value;

	CHECK(devices_access(&driver->devices, address(device, offset), true, 4,
			     &wide));
}

static void set_address(struct driver *driver, unsigned int device,
			uint64_t offset, uint64_t gpa)
{
	store(driver, device, offset, gpa);
	store(driver, device, offset + 4, gpa >> 32);
}

void start(struct driver *driver, unsigned int device)
{
	store(driver, device, 0x70, 0);
	store(driver, device, 0x70, 3);
	store(driver, device, 0x24, 1);
	/* VERSION_1 and ACCESS_PLATFORM */
	store(driver, device, 0x20, 3);
	store(driver, device, 0x70, 11);
	CHECK(load(driver, device, 0x70) == 11);
	for (unsigned int queue = 0; queue < (device == NET ? 2 : 1); queue++) {
		store(driver, device, 0x30, queue);
		CHECK(load(driver, device, 0x34) == VIRTQ_SIZE);
		store(driver, device, 0x38, VIRTQ_SIZE);
		set_address(driver, device, 0x80, DESC(queue));
		set_address(driver, device, 0x90, AVAIL(queue));
		set_address(driver, device, 0xa0, USED(queue));
		store(driver, device, 0x44, 1);
		CHECK(load(driver, device, 0x44) == 1);
	}
	store(driver, device, 0x70, 15);
	CHECK(load(driver, device, 0x70) == 15);
}

void put(struct driver *driver, uint64_t gpa, const void *bytes, size_t size)
{
	memcpy(driver->devices.window.bytes + (gpa - BASE), bytes, size);
}

void get(struct driver *driver, uint64_t gpa, void *bytes, size_t size)
{
	memcpy(bytes, driver->devices.window.bytes + (gpa - BASE), size);
}

void describe(struct driver *driver, unsigned int queue, unsigned int number,
	      struct buffer buffer)
{
	put(driver, DESC(queue) + number * sizeof(buffer), &buffer,
	    sizeof(buffer));
}

void offer(struct driver *driver, unsigned int device, unsigned int queue,
	   uint16_t head)
{
	uint16_t *given = &driver->given[queue];

	put(driver, AVAIL(queue) + 4 + *given % VIRTQ_SIZE * 2, &head, 2);
	++*given;
	put(driver, AVAIL(queue) + 2, given, 2);
	store(driver, device, 0x50, queue);
}

uint16_t used(struct driver *driver, unsigned int queue)
{
	uint16_t index;

	get(driver, USED(queue) + 2, &index, 2);
	return index;
}

uint32_t used_size(struct driver *driver, unsigned int queue,
		   unsigned int number)
{
	uint32_t size;

	get(driver, USED(queue) + 4 + number % VIRTQ_SIZE * 8 + 4, &size, 4);
	return size;
}

uint8_t request(struct driver *driver, uint32_t type, uint64_t sector,
		uint32_t size)
{
	struct { uint32_t type, reserved; uint64_t sector; } header = {
		type, 0, sector,
	};
	uint8_t status = 0xee;

	put(driver, BUFFERS, &header, sizeof(header));
	put(driver, BUFFERS + 0x80, &status, 1);
	describe(driver, 0, 0, (struct buffer){ BUFFERS, 16, NEXT,
						size ? 1 : 2 });
	describe(driver, 0, 1, (struct buffer){ BUFFERS + 0x100, size,
						NEXT | (type ? 0 : WRITE), 2 });
	describe(driver, 0, 2, (struct buffer){ BUFFERS + 0x80, 1, WRITE, 0 });
	offer(driver, DISK, 0, 0);
	get(driver, BUFFERS + 0x80, &status, 1);
	return status;
}
