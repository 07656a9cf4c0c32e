// SPDX-License-Identifier: BSD-2-Clause
#include "driver.h"

#define HEADER	12

static const uint8_t arp[42] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0x74, 0x65, 0x65, 0, 1, 8, 6,
	0, 1, 8, 0, 6, 4, 0, 1, 2, 0x74, 0x65, 0x65, 0, 1, 10, 0, 2, 15,
	0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
};

static uint16_t sum(const uint8_t *bytes, size_t size)
{
	uint32_t all = 0;

	for (size_t i = 0; i < size; i += 2)
		all += bytes[i] << 8 | (i + 1 < size ? bytes[i + 1] : 0);
	while (all >> 16)
		all = (all & 0xffff) + (all >> 16);
	return all;
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* A packet for the peer with so many bytes behind the header of 8 bytes */
static size_t make(uint8_t *frame, uint8_t protocol, size_t size)
{
	uint8_t *ip = frame + 14, *inner = ip + 20;

	memset(frame, 0, PEER_FRAME_MAX);
	frame[12] = 8;
	ip[0] = 0x45;
	set16(ip + 2, 28 + size);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, "\x0a\0\2\x0f\x0a\0\2\2", 8);
	set16(ip + 10, ~sum(ip, 20));
	for (size_t i = 0; i < size; i++)
		inner[8 + i] = i * 3;
	if (protocol == 17) {
		set16(inner, 5000);
		set16(inner + 2, 7);
		set16(inner + 4, 8 + size);
		return 42 + size;
	}
	inner[0] = 8;
	set16(inner + 2, ~sum(inner, 8 + size));
	return 42 + size;
}

static void test_peer(void)
{
	uint8_t frame[PEER_FRAME_MAX], answer[PEER_FRAME_MAX];
	size_t size;

	CHECK(peer_answer(arp, sizeof(arp), answer) == sizeof(arp));
	CHECK(answer[21] == 2 && !memcmp(answer + 28, "\x0a\0\2\2", 4));
	CHECK(!memcmp(answer, arp + 6, 6));
	CHECK(!peer_answer(arp, sizeof(arp) - 1, answer));
	for (size_t bytes = 0; bytes <= PEER_FRAME_MAX - 42; bytes += 59) {
		size = make(frame, 1, bytes);
		CHECK(peer_answer(frame, size, answer) == size);
		CHECK(answer[34] == 0 && sum(answer + 34, size - 34) == 0xffff);
		CHECK(!memcmp(answer + 42, frame + 42, bytes));
		CHECK(!peer_answer(frame, size - 1, answer));
		frame[40] ^= 1;
		CHECK(!peer_answer(frame, size, answer));
	}
	size = make(frame, 17, 100);
	CHECK(peer_answer(frame, size, answer) == size);
	CHECK(answer[35] == 7 && answer[36] == 5000 >> 8);
	/* For another host */
	frame[33] = 3;
	CHECK(!peer_answer(frame, size, answer));
}

/* Ask once with the buffers that there are; the bytes that came back */
static uint32_t ask(struct driver *driver, uint32_t receive)
{
	uint8_t header[HEADER] = {};
	uint16_t before = used(driver, 0);

	put(driver, BUFFERS, header, HEADER);
	put(driver, BUFFERS + HEADER, arp, sizeof(arp));
	if (receive) {
		describe(driver, 0, 0, (struct buffer){ BUFFERS + 0x1000, receive,
							WRITE, 0 });
		offer(driver, NET, 0, 0);
	}
	describe(driver, 1, 0, (struct buffer){ BUFFERS, HEADER + sizeof(arp),
						0, 0 });
	offer(driver, NET, 1, 0);
	return used(driver, 0) == before ? ~0U :
	       used_size(driver, 0, before);
}

void test_net(void)
{
	struct driver driver;
	uint8_t found[HEADER];

	test_peer();
	begin(&driver);
	start(&driver, NET);
	/* Nothing to receive into; too little; enough */
	CHECK(ask(&driver, 0) == ~0U);
	CHECK(ask(&driver, 20) == 0);
	CHECK(ask(&driver, 1600) == HEADER + sizeof(arp));
	get(&driver, BUFFERS + 0x1000, found, HEADER);
	CHECK(found[10] == 1);
	CHECK(used(&driver, 1) == 3);
	CHECK(!devices_offence(&driver.devices));
	end(&driver);
}
