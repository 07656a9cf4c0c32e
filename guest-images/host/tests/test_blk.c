// SPDX-License-Identifier: BSD-2-Clause
/* A good driver of the disk and of the random bytes */
#include "driver.h"

enum { IN, OUT, FLUSH = 4, ID = 8 };
enum { DONE, IOERR, UNSUPPORTED };

static void fill(uint8_t *bytes, size_t size, uint8_t salt)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = i * 7 + salt;
}

static void test_transfer(struct driver *driver)
{
	uint8_t wrote[3 * SECTOR], found[3 * SECTOR];

	fill(wrote, sizeof(wrote), 1);
	put(driver, BUFFERS + 0x100, wrote, sizeof(wrote));
	CHECK(request(driver, OUT, 5, sizeof(wrote)) == DONE);
	CHECK(used_size(driver, 0, 0) == 1);
	memset(found, 0, sizeof(found));
	put(driver, BUFFERS + 0x100, found, sizeof(found));
	CHECK(request(driver, IN, 5, sizeof(found)) == DONE);
	CHECK(used_size(driver, 0, 1) == sizeof(found) + 1);
	get(driver, BUFFERS + 0x100, found, sizeof(found));
	CHECK(!memcmp(wrote, found, sizeof(found)));
	CHECK(used(driver, 0) == 2);
	CHECK(load(driver, DISK, 0x60) == 1);
}

static void test_file(struct driver *driver)
{
	uint8_t wrote[3 * SECTOR], found[3 * SECTOR];
	FILE *file = fopen(driver->path, "rb");

	fill(wrote, sizeof(wrote), 1);
	CHECK(file && !fseek(file, 5 * SECTOR, SEEK_SET));
	CHECK(fread(found, 1, sizeof(found), file) == sizeof(found));
	CHECK(!memcmp(wrote, found, sizeof(found)));
	fclose(file);
}

static void test_ends(struct driver *driver)
{
	char name[20];

	CHECK(request(driver, FLUSH, 0, 0) == DONE);
	CHECK(request(driver, 77, 0, 0) == UNSUPPORTED);
	CHECK(request(driver, OUT, SECTORS - 1, SECTOR) == DONE);
	CHECK(request(driver, OUT, SECTORS - 1, 2 * SECTOR) == IOERR);
	CHECK(request(driver, OUT, SECTORS, SECTOR) == IOERR);
	CHECK(request(driver, IN, ~0ULL, SECTOR) == IOERR);
	CHECK(request(driver, IN, ~0ULL / SECTOR + 1, SECTOR) == IOERR);
	CHECK(request(driver, OUT, 0, SECTOR - 1) == IOERR);
	/* The driver writes with its own direction: for the id as for a read. */
	describe(driver, 0, 4, (struct buffer){ BUFFERS, 16, NEXT, 5 });
	describe(driver, 0, 5, (struct buffer){ BUFFERS + 0x100, 21, WRITE, 0 });
	put(driver, BUFFERS, (uint32_t[]){ ID }, 4);
	offer(driver, DISK, 0, 4);
	get(driver, BUFFERS + 0x100, name, sizeof(name));
	CHECK(!strcmp(name, "teecall"));
	CHECK(!devices_offence(&driver->devices));
}

/* No interrupt while the driver does not want one; and the ring goes round. */
static void test_ring(struct driver *driver)
{
	uint16_t quiet = 1;

	store(driver, DISK, 0x64, 1);
	CHECK(load(driver, DISK, 0x60) == 0);
	put(driver, AVAIL(0), &quiet, 2);
	for (int i = 0; i < 3 * VIRTQ_SIZE; i++)
		CHECK(request(driver, FLUSH, 0, 0) == DONE);
	CHECK(load(driver, DISK, 0x60) == 0);
	quiet = 0;
	put(driver, AVAIL(0), &quiet, 2);
	CHECK(request(driver, FLUSH, 0, 0) == DONE);
	CHECK(load(driver, DISK, 0x60) == 1);
	CHECK(used(driver, 0) == driver->given[0]);
}

static void test_registers(struct driver *driver)
{
	CHECK(load(driver, DISK, 0) == 0x74726976);
	CHECK(load(driver, DISK, 4) == 2);
	CHECK(load(driver, DISK, 8) == VIRTIO_ID_BLOCK);
	CHECK(load(driver, RNG, 8) == VIRTIO_ID_RNG);
	CHECK(load(driver, NET, 8) == VIRTIO_ID_NET);
	CHECK(load(driver, DISK, 0x100) == SECTORS);
	CHECK(load(driver, DISK, 0x100 + VIRTIO_CONFIG) == 0);
	store(driver, DISK, 0x30, 1);
	CHECK(load(driver, DISK, 0x34) == 0);
	/* Without ACCESS_PLATFORM; with something that was not offered */
	store(driver, DISK, 0x24, 1);
	store(driver, DISK, 0x20, 1);
	store(driver, DISK, 0x70, 11);
	CHECK(load(driver, DISK, 0x70) == 3);
	store(driver, DISK, 0x20, 0xb);
	store(driver, DISK, 0x70, 11);
	CHECK(load(driver, DISK, 0x70) == 3);
}

static void test_rng(void)
{
	uint8_t zero[256] = {}, found[256];
	struct driver driver;

	begin(&driver);
	start(&driver, RNG);
	describe(&driver, 0, 0, (struct buffer){ BUFFERS, 256, WRITE, 0 });
	offer(&driver, RNG, 0, 0);
	CHECK(used_size(&driver, 0, 0) == 256);
	get(&driver, BUFFERS, found, sizeof(found));
	CHECK(memcmp(zero, found, sizeof(found)));
	end(&driver);
}

void test_blk(void)
{
	struct driver driver;

	begin(&driver);
	test_registers(&driver);
	start(&driver, DISK);
	test_transfer(&driver);
	test_file(&driver);
	test_ends(&driver);
	test_ring(&driver);
	end(&driver);
	test_rng();
}
