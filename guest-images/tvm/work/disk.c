// SPDX-License-Identifier: BSD-2-Clause
/*
 * A disk by its round trips: each read goes past the caches to the device and
 * back before the next one starts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "work.h"

#define DISK		"/dev/vda"
#define READS		256
#define SECTORS		64
#define SECTOR		512

static int disk;
static uint64_t *sector;

void prepare_disk(void)
{
	if (mount("dev", "/dev", "devtmpfs", 0, NULL))
		fail("mount of devtmpfs");
	disk = open(DISK, O_RDONLY | O_DIRECT);
	if (disk < 0)
		fail("there is no " DISK);
	if (posix_memalign((void **)&sector, SECTOR, SECTOR))
		fail("memory");
}

/* Each sector says which one it is, so that no stale buffer passes for it. */
void read_disk(void)
{
	for (uint64_t i = 0; i < READS; i++) {
		uint64_t at = i % SECTORS;

		if (pread(disk, sector, SECTOR, at * SECTOR) != SECTOR)
			fail("a read of " DISK);
		if (sector[0] != at + 1)
			fail("a sector is another one");
	}
}
