// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio-rng (virtio 1.2, 5.4). The bytes are the host's: a guest that trusts
 * it with nothing may mix them in, but must not rely on them.
 */
#include <sys/random.h>

#include "virtio.h"

static void notify(struct virtio_device *device, unsigned int queue)
{
	struct chain chain;

	while (virtio_take(device, queue, &chain)) {
		uint64_t written = 0;

		for (unsigned int i = 0; i < chain.ins; i++) {
			ssize_t done = getrandom(chain.in[i].iov_base,
						 chain.in[i].iov_len, 0);

			if (done <= 0)
				break;
			written += done;
			/* As many as there are at once; the driver asks again. */
			if ((size_t)done < chain.in[i].iov_len)
				break;
		}
		virtio_give(device, queue, &chain, written);
	}
}

static const struct virtio_ops ops = {
	.id = VIRTIO_ID_RNG,
	.queues = 1,
	.notify = notify,
};

void virtio_rng_open(struct virtio_device *device)
{
	device->ops = &ops;
}
