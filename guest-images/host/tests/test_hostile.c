// SPDX-License-Identifier: BSD-2-Clause
/* Drivers that give what they may not: nothing outside of the window is touched. */
#include "driver.h"

static void expect_offence(struct driver *driver, const char *says)
{
	const char *offence = devices_offence(&driver->devices);
	uint16_t done = used(driver, 0);

	CHECK(offence && strstr(offence, says));
	CHECK(load(driver, DISK, 0x70) & VIRTIO_STATUS_NEEDS_RESET);
	/* It takes nothing more until it is reset. */
	store(driver, DISK, 0x50, 0);
	CHECK(used(driver, 0) == done);
	store(driver, DISK, 0x70, 0);
	CHECK(load(driver, DISK, 0x70) == 0);
}

/* A write whose data lies there */
static void test_buffer(uint64_t address, uint32_t size)
{
	struct driver driver;

	begin(&driver);
	start(&driver, DISK);
	describe(&driver, 0, 0, (struct buffer){ BUFFERS, 16, NEXT, 1 });
	describe(&driver, 0, 1, (struct buffer){ address, size, NEXT, 2 });
	describe(&driver, 0, 2, (struct buffer){ BUFFERS + 0x80, 1, WRITE, 0 });
	put(&driver, BUFFERS, (uint32_t[]){ 1 }, 4);
	offer(&driver, DISK, 0, 0);
	CHECK(used(&driver, 0) == 0);
	/* Better now, and too late: it has to be reset first. */
	describe(&driver, 0, 1, (struct buffer){ BUFFERS + 512, 512, NEXT, 2 });
	expect_offence(&driver, "a buffer that it does not share");
	end(&driver);
}

static void test_buffers(void)
{
	test_buffer(0x80000000, 512);
	test_buffer(BASE - 1, 512);
	test_buffer(BASE + SIZE - 511, 512);
	test_buffer(BASE + SIZE, 512);
	test_buffer(~0ULL - 255, 512);
	test_buffer(~0ULL, 1);
	test_buffer(BASE, SIZE + 1);
	test_buffer(BASE + 512, ~0U);
}

/* One of the three parts of the queue lies where nothing is shared. */
static void test_ring(uint64_t offset, uint64_t address)
{
	struct driver driver;

	begin(&driver);
	start(&driver, DISK);
	store(&driver, DISK, 0x30, 0);
	store(&driver, DISK, 0x44, 0);
	store(&driver, DISK, offset, address);
	store(&driver, DISK, offset + 4, address >> 32);
	store(&driver, DISK, 0x44, 1);
	request(&driver, 4, 0, 0);
	CHECK(devices_offence(&driver.devices));
	CHECK(strstr(devices_offence(&driver.devices), "not share"));
	end(&driver);
}

static void test_rings(void)
{
	static const uint64_t wrong[] = {
		0, 0x80000000, BASE - 16, BASE + SIZE, BASE + SIZE - 3,
		~0ULL - 1, 1ULL << 63,
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		for (uint64_t part = 0x80; part <= 0xa0; part += 0x10)
			test_ring(part, wrong[i]);
	/* Not aligned: the index would be half of one entry, half of another. */
	test_ring(0x90, AVAIL(0) + 1);
	test_ring(0xa0, USED(0) + 1);
}

static void test_chain(struct buffer first, struct buffer second,
		       const char *says)
{
	struct driver driver;

	begin(&driver);
	start(&driver, DISK);
	describe(&driver, 0, 0, first);
	describe(&driver, 0, 1, second);
	offer(&driver, DISK, 0, 0);
	expect_offence(&driver, says);
	end(&driver);
}

static void test_chains(void)
{
	struct buffer in = { BUFFERS, 16, WRITE, 0 };
	struct buffer out = { BUFFERS, 16, NEXT, 1 };

	test_chain(out, (struct buffer){ BUFFERS, 1, NEXT, 0 }, "without an end");
	test_chain(out, (struct buffer){ BUFFERS, 1, NEXT, VIRTQ_SIZE },
		   "beyond its table");
	test_chain(out, (struct buffer){ BUFFERS, 16, INDIRECT, 0 }, "flags");
	test_chain((struct buffer){ BUFFERS, 16, NEXT | WRITE, 1 },
		   (struct buffer){ BUFFERS, 16, 0, 0 }, "behind one to write");
	test_chain((struct buffer){ BUFFERS, 15, NEXT, 1 }, in,
		   "without a header");
	test_chain((struct buffer){ BUFFERS, 16, 0, 0 }, in, "without a header");
	test_chain(in, in, "without a header");
}

static void test_indexes(void)
{
	uint16_t wrong = VIRTQ_SIZE + 1, beyond = VIRTQ_SIZE;
	struct driver driver;

	begin(&driver);
	start(&driver, DISK);
	put(&driver, AVAIL(0) + 2, &wrong, 2);
	store(&driver, DISK, 0x50, 0);
	expect_offence(&driver, "more entries");
	end(&driver);

	begin(&driver);
	start(&driver, DISK);
	offer(&driver, DISK, 0, beyond);
	expect_offence(&driver, "beyond its table");
	end(&driver);
}

static void test_sizes(void)
{
	static const uint32_t wrong[] = { 0, 3, VIRTQ_SIZE + 1, 2 * VIRTQ_SIZE, ~0U };
	struct driver driver;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin(&driver);
		store(&driver, DISK, 0x38, wrong[i]);
		store(&driver, DISK, 0x44, 1);
		CHECK(load(&driver, DISK, 0x44) == 0);
		expect_offence(&driver, "a queue of a size");
		end(&driver);
	}
}

/* The guest has taken its memory back while the disk still knows the rings. */
static void test_closed(void)
{
	struct driver driver;

	begin(&driver);
	start(&driver, DISK);
	CHECK(request(&driver, 4, 0, 0) == 0);
	driver.devices.window.size = 0;
	CHECK(request(&driver, 4, 0, 0) == 0xee);
	expect_offence(&driver, "does not share");
	end(&driver);
}

/* xorshift64 */
static uint64_t random64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Whatever is in the memory and the registers: ASan and UBSan have the say. */
static void test_noise(uint64_t seed)
{
	struct driver driver;
	uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;

	begin(&driver);
	for (unsigned int device = DISK; device <= NET; device++)
		start(&driver, device);
	for (int i = 0; i < 400; i++) {
		unsigned int queue = random64(&state) % 2;
		uint64_t near = random64(&state) % 8 ?
				BASE + random64(&state) % (SIZE + 64) :
				random64(&state);
		uint64_t value = random64(&state);

		describe(&driver, queue, random64(&state) % 4, (struct buffer){
			near, random64(&state) % 2048,
			random64(&state) % 4, random64(&state) % 5,
		});
		offer(&driver, random64(&state) % 3, queue,
		      random64(&state) % 5);
		if (random64(&state) % 4)
			continue;
		devices_access(&driver.devices, DEVICES_VIRTIO +
			       random64(&state) % (3 * DEVICES_STRIDE) / 4 * 4,
			       random64(&state) % 2, 1 << random64(&state) % 4,
			       &value);
		if (devices_offence(&driver.devices))
			start(&driver, random64(&state) % 3);
	}
	end(&driver);
}

void test_hostile(void)
{
	test_buffers();
	test_rings();
	test_chains();
	test_indexes();
	test_sizes();
	test_closed();
	for (uint64_t seed = 0; seed < 200; seed++)
		test_noise(seed);
}
