// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rounds of work. What a round finds goes into a CRC-32 that the next round
 * goes on with, so that one wrong byte anywhere makes all later ones wrong; who
 * knows the nonce can compute it elsewhere.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

#define BUFFER_SIZE	32768
#define COPIES		4
#define SIEVE		20000
#define PRIMES_BELOW	2262
#define MAX_PROCESSES	16
/* How often a process says how far it is */
#define NEWS_NS		250000000ULL
#define NS_A_SECOND	1000000000ULL

static uint64_t buffer[BUFFER_SIZE / sizeof(uint64_t)];
static uint64_t back[BUFFER_SIZE / sizeof(uint64_t)];
static uint32_t table[256];

static void prepare(uint64_t nonce, uint64_t process)
{
	uint64_t x = nonce + process + 1;

	for (size_t i = 0; i < BUFFER_SIZE / sizeof(uint64_t); i++)
		buffer[i] = x = next_random(x);
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value & 1 ? value >> 1 ^ 0xedb88320 : value >> 1;
		table[i] = value;
	}
}

/* CRC-32 of IEEE 802.3, as zlib has it */
static uint32_t crc32(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	crc = ~crc;
	while (size--)
		crc = table[(crc ^ *bytes++) & 0xff] ^ crc >> 8;
	return ~crc;
}

/* Computing: a sieve of fixed size has a known answer. */
static void sieve(void)
{
	static uint8_t composite[SIEVE];
	unsigned int primes = 0;

	memset(composite, 0, sizeof(composite));
	for (unsigned int i = 2; i < SIEVE; i++) {
		if (composite[i])
			continue;
		primes++;
		for (unsigned int j = i * i; i < 142 && j < SIEVE; j += i)
			composite[j] = 1;
	}
	if (primes != PRIMES_BELOW)
		fail("the primes are wrong");
}

/* Memory: fresh pages each time, so that each is a page fault. */
static uint32_t memory(uint32_t crc)
{
	uint8_t *pages = mmap(NULL, COPIES * BUFFER_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		fail("mmap");
	for (int i = 0; i < COPIES; i++)
		memcpy(pages + i * BUFFER_SIZE, buffer, BUFFER_SIZE);
	for (int i = 1; i < COPIES; i++)
		if (memcmp(pages, pages + i * BUFFER_SIZE, BUFFER_SIZE))
			fail("a copy in memory is wrong");
	crc = crc32(crc, pages + (COPIES - 1) * BUFFER_SIZE, BUFFER_SIZE);
	munmap(pages, COPIES * BUFFER_SIZE);
	return crc;
}

/* A file: written, read back from the start, removed at once. */
static uint32_t file(uint32_t crc)
{
	char name[] = "/tmp/work.XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || unlink(name))
		fail("mkstemp");
	for (int i = 0; i < COPIES; i++)
		if (write(fd, buffer, BUFFER_SIZE) != BUFFER_SIZE)
			fail("write");
	if (lseek(fd, 0, SEEK_SET))
		fail("lseek");
	for (int i = 0; i < COPIES; i++)
		if (read(fd, back, BUFFER_SIZE) != BUFFER_SIZE ||
		    memcmp(back, buffer, BUFFER_SIZE))
			fail("a file is wrong");
	close(fd);
	return crc32(crc, back, BUFFER_SIZE);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_A_SECOND + now.tv_nsec;
}

static void rounds(uint64_t nonce, uint64_t process, uint64_t seconds)
{
	uint64_t end = now_ns() + seconds * NS_A_SECOND, told = 0, round = 0;
	uint32_t crc = 0;

	prepare(nonce, process);
	do {
		sieve();
		crc = file(memory(crc));
		round++;
		if (now_ns() - told < NEWS_NS)
			continue;
		told = now_ns();
		say("work: %" PRIu64 " %" PRIu64 " %08x\n", process, round, crc);
	} while (!seconds || now_ns() < end);
	say("work: done %" PRIu64 " %" PRIu64 " %08x\n", process, round, crc);
}

int load(int count, char **words)
{
	uint64_t nonce = strtoull(words[0], NULL, 16);
	uint64_t seconds = strtoull(words[1], NULL, 10);
	long processes = count > 2 ? atol(words[2]) : sysconf(_SC_NPROCESSORS_ONLN);
	int status, bad = 0;

	if (processes < 1 || processes > MAX_PROCESSES)
		fail("there are 1 to 16 processes");
	for (long process = 0; process < processes; process++)
		if (!fork()) {
			rounds(nonce, process, seconds);
			_exit(0);
		}
	while (wait(&status) > 0)
		bad |= status;
	return bad ? 1 : 0;
}
