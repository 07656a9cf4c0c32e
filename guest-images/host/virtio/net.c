// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio-net (virtio 1.2, 5.1) on a network of two: the guest, and a peer in
 * this process that answers it. What the guest has no buffer for is lost, as on
 * any network.
 */
#include <string.h>

#include "virtio.h"

enum { RECEIVE, TRANSMIT };

#define F_MAC		(1ULL << 5)
/* 5.1.6: struct virtio_net_hdr; no offloads, so all of it is 0 but the last */
#define HEADER_SIZE	12
#define HEADER_BUFFERS	10

static const uint8_t mac[6] = { 0x02, 0x74, 0x65, 0x65, 0x00, 0x01 };

static void deliver(struct virtio_device *device, const uint8_t *frame,
		    size_t size)
{
	uint8_t header[HEADER_SIZE] = { [HEADER_BUFFERS] = 1 };
	uint64_t written = 0;
	struct chain chain;

	if (!virtio_take(device, RECEIVE, &chain))
		return;
	if (chain.in_bytes >= sizeof(header) + size) {
		iov_write(chain.in, chain.ins, 0, header, sizeof(header));
		iov_write(chain.in, chain.ins, sizeof(header), frame, size);
		written = sizeof(header) + size;
	}
	virtio_give(device, RECEIVE, &chain, written);
}

static void notify(struct virtio_device *device, unsigned int queue)
{
	uint8_t frame[PEER_FRAME_MAX], answer[PEER_FRAME_MAX];
	struct chain chain;

	/* New buffers to receive into: nothing waits for them. */
	if (queue != TRANSMIT)
		return;
	while (virtio_take(device, TRANSMIT, &chain)) {
		size_t size = iov_read(chain.out, chain.outs, HEADER_SIZE,
				       frame, sizeof(frame));

		virtio_give(device, TRANSMIT, &chain, 0);
		size = peer_answer(frame, size, answer);
		if (size)
			deliver(device, answer, size);
	}
}

static const struct virtio_ops ops = {
	.id = VIRTIO_ID_NET,
	.queues = 2,
	.features = F_MAC,
	.notify = notify,
};

void virtio_net_open(struct virtio_device *device)
{
	device->ops = &ops;
	memcpy(device->config, mac, sizeof(mac));
}
