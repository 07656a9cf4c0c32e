// SPDX-License-Identifier: BSD-2-Clause
/* virtio-blk (virtio 1.2, 5.2) over a file of the host. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio.h"

#define SECTOR		512
#define F_SEG_MAX	(1ULL << 2)
#define F_FLUSH		(1ULL << 9)
#define CONFIG_CAPACITY	0
#define CONFIG_SEG_MAX	12
/* A request has a header and a status beside its data. */
#define SEG_MAX		(VIRTQ_SIZE - 2)

enum { REQUEST_IN, REQUEST_OUT, REQUEST_FLUSH = 4, REQUEST_ID = 8 };
enum { STATUS_DONE, STATUS_IOERR, STATUS_UNSUPPORTED };

static const char identity[20] = "teecall";

struct request {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

/* Moves the part [offset, offset + size) of a list of buffers from or to a file. */
static bool move(int fd, const struct iovec *iov, unsigned int count,
		 uint64_t skip, uint64_t size, uint64_t at, bool load)
{
	for (unsigned int i = 0; i < count && size; i++) {
		uint64_t part = iov[i].iov_len;
		uint8_t *bytes = iov[i].iov_base;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		bytes += skip;
		part -= skip;
		skip = 0;
		part = part < size ? part : size;
		size -= part;
		while (part) {
			ssize_t done = load ? pread(fd, bytes, part, at) :
					      pwrite(fd, bytes, part, at);

			if (done < 0 && errno == EINTR)
				continue;
			if (done <= 0)
				return false;
			bytes += done;
			part -= done;
			at += done;
		}
	}
	return true;
}

static bool good_range(const struct virtio_device *device, uint64_t sector,
		       uint64_t size)
{
	return size % SECTOR == 0 && sector <= device->sectors &&
	       size / SECTOR <= device->sectors - sector;
}

/* The last byte that we may write is the status and no data. */
static uint8_t transfer(struct virtio_device *device, const struct chain *chain,
			const struct request *request, uint64_t *written)
{
	bool load = request->type == REQUEST_IN;
	uint64_t size = load ? chain->in_bytes - 1 :
			       chain->out_bytes - sizeof(*request);

	if (!good_range(device, request->sector, size))
		return STATUS_IOERR;
	if (!move(device->fd, load ? chain->in : chain->out,
		  load ? chain->ins : chain->outs,
		  load ? 0 : sizeof(*request), size,
		  request->sector * SECTOR, load))
		return STATUS_IOERR;
	*written = load ? size : 0;
	return STATUS_DONE;
}

static uint8_t serve(struct virtio_device *device, const struct chain *chain,
		     uint64_t *written)
{
	struct request request;

	iov_read(chain->out, chain->outs, 0, &request, sizeof(request));
	request.type = le32toh(request.type);
	request.sector = le64toh(request.sector);
	switch (request.type) {
	case REQUEST_IN:
	case REQUEST_OUT:
		return transfer(device, chain, &request, written);
	case REQUEST_FLUSH:
		return fsync(device->fd) ? STATUS_IOERR : STATUS_DONE;
	case REQUEST_ID:
		*written = iov_write(chain->in, chain->ins, 0, identity,
				     chain->in_bytes - 1 < sizeof(identity) ?
				     chain->in_bytes - 1 : sizeof(identity));
		return STATUS_DONE;
	default:
		return STATUS_UNSUPPORTED;
	}
}

static void notify(struct virtio_device *device, unsigned int queue)
{
	struct chain chain;

	while (virtio_take(device, queue, &chain)) {
		uint64_t written = 0;
		uint8_t status;

		if (chain.out_bytes < sizeof(struct request) || !chain.in_bytes) {
			virtio_offend(device, "a request without a header or a status");
			return;
		}
		status = serve(device, &chain, &written);
		iov_write(chain.in, chain.ins, chain.in_bytes - 1, &status, 1);
		virtio_give(device, queue, &chain, written + 1);
	}
}

static void stop(struct virtio_device *device)
{
	close(device->fd);
}

static const struct virtio_ops ops = {
	.id = VIRTIO_ID_BLOCK,
	.queues = 1,
	.features = F_SEG_MAX | F_FLUSH,
	.notify = notify,
	.close = stop,
};

bool virtio_blk_open(struct virtio_device *device, const char *path, char *why,
		     size_t size)
{
	uint32_t segments = htole32(SEG_MAX);
	uint64_t capacity;
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return false;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size ||
	    st.st_size % SECTOR) {
		snprintf(why, size, "%s: a disk is a file of whole sectors of %d bytes; make one with truncate or dd",
			 path, SECTOR);
		close(fd);
		return false;
	}
	device->ops = &ops;
	device->fd = fd;
	device->sectors = st.st_size / SECTOR;
	capacity = htole64(device->sectors);
	memcpy(device->config + CONFIG_CAPACITY, &capacity, sizeof(capacity));
	memcpy(device->config + CONFIG_SEG_MAX, &segments, sizeof(segments));
	return true;
}
