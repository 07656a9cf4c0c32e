// SPDX-License-Identifier: BSD-2-Clause
/*
 * Split virtqueues (virtio 1.2, 2.7). The guest writes the rings while we read
 * them: each word is read once, and what was checked is what is used.
 */
#include <endian.h>
#include <string.h>

#include "virtio.h"

#define NEXT		1
#define WRITE		2
#define NO_INTERRUPT	1
/* Of the available and the used ring: flags and index in front of the entries */
#define RING_HEADER	4
#define USED_ENTRY	8

struct descriptor {
	uint64_t address;
	uint32_t size;
	uint16_t flags;
	uint16_t next;
};

static bool read16(const struct window *window, uint64_t gpa, uint16_t *value)
{
	const uint16_t *at = gpa % 2 ? NULL : window_at(window, gpa, 2);

	if (!at)
		return false;
	*value = le16toh(__atomic_load_n(at, __ATOMIC_ACQUIRE));
	return true;
}

static bool read_descriptor(const struct virtq *queue,
			    const struct window *window, uint16_t number,
			    struct descriptor *descriptor)
{
	const void *at = window_at(window, queue->descriptors +
				   number * sizeof(*descriptor),
				   sizeof(*descriptor));

	if (!at)
		return false;
	/* The barrier makes the copy the only read there is. */
	memcpy(descriptor, at, sizeof(*descriptor));
	asm volatile("" : "+m"(*descriptor));
	descriptor->address = le64toh(descriptor->address);
	descriptor->size = le32toh(descriptor->size);
	descriptor->flags = le16toh(descriptor->flags);
	descriptor->next = le16toh(descriptor->next);
	return true;
}

/* Returns what is wrong with the buffer, NULL when nothing is. */
static const char *add(const struct window *window, struct chain *chain,
		       const struct descriptor *descriptor)
{
	void *at = window_at(window, descriptor->address, descriptor->size);
	struct iovec part = { .iov_base = at, .iov_len = descriptor->size };

	if (!at)
		return "a buffer that it does not share";
	if (descriptor->flags & ~(NEXT | WRITE))
		return "a descriptor with flags that were not agreed on";
	if (descriptor->flags & WRITE) {
		chain->in[chain->ins++] = part;
		chain->in_bytes += part.iov_len;
	} else if (chain->ins) {
		return "a buffer to read behind one to write";
	} else {
		chain->out[chain->outs++] = part;
		chain->out_bytes += part.iov_len;
	}
	return NULL;
}

static const char *collect(const struct virtq *queue,
			   const struct window *window, struct chain *chain)
{
	struct descriptor descriptor = { .next = chain->head, .flags = NEXT };
	const char *why;

	for (uint32_t count = 0; descriptor.flags & NEXT; count++) {
		if (count == queue->size)
			return "a chain of buffers without an end";
		if (descriptor.next >= queue->size)
			return "a descriptor beyond its table";
		if (!read_descriptor(queue, window, descriptor.next,
				     &descriptor))
			return "a descriptor table that it does not share";
		why = add(window, chain, &descriptor);
		if (why)
			return why;
	}
	return NULL;
}

enum virtq_next virtq_take(struct virtq *queue, const struct window *window,
			   struct chain *chain, const char **why)
{
	uint16_t index, head;

	*why = "a ring that it does not share";
	if (!read16(window, queue->available + 2, &index))
		return VIRTQ_BAD;
	if (index == queue->taken)
		return VIRTQ_EMPTY;
	if ((uint16_t)(index - queue->taken) > queue->size) {
		*why = "a ring with more entries than it has room for";
		return VIRTQ_BAD;
	}
	if (!read16(window, queue->available + RING_HEADER +
		    queue->taken % queue->size * sizeof(head), &head))
		return VIRTQ_BAD;
	*chain = (struct chain){ .head = head };
	*why = collect(queue, window, chain);
	if (*why)
		return VIRTQ_BAD;
	queue->taken++;
	return VIRTQ_CHAIN;
}

bool virtq_give(struct virtq *queue, const struct window *window,
		const struct chain *chain, uint32_t written)
{
	uint32_t entry[2] = { htole32(chain->head), htole32(written) };
	void *slot = window_at(window, queue->used + RING_HEADER +
			       queue->given % queue->size * USED_ENTRY,
			       USED_ENTRY);
	uint16_t *index = queue->used % 2 ? NULL :
			  window_at(window, queue->used + 2, 2);

	if (!slot || !index)
		return false;
	memcpy(slot, entry, sizeof(entry));
	queue->given++;
	/* The driver reads the entry when it sees the index. */
	__atomic_store_n(index, htole16(queue->given), __ATOMIC_RELEASE);
	return true;
}

bool virtq_wants_interrupt(const struct virtq *queue,
			   const struct window *window)
{
	uint16_t flags = 0;

	return read16(window, queue->available, &flags) &&
	       !(flags & NO_INTERRUPT);
}

static uint64_t copy(const struct iovec *iov, unsigned int count,
		     uint64_t offset, uint8_t *bytes, uint64_t size, bool read)
{
	uint64_t done = 0;

	for (unsigned int i = 0; i < count && done < size; i++) {
		uint64_t part = iov[i].iov_len;
		uint8_t *at = iov[i].iov_base;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		part -= offset;
		if (part > size - done)
			part = size - done;
		memcpy(read ? bytes + done : at + offset,
		       read ? at + offset : bytes + done, part);
		done += part;
		offset = 0;
	}
	return done;
}

uint64_t iov_read(const struct iovec *iov, unsigned int count, uint64_t offset,
		  void *to, uint64_t size)
{
	return copy(iov, count, offset, to, size, true);
}

uint64_t iov_write(const struct iovec *iov, unsigned int count,
		   uint64_t offset, const void *from, uint64_t size)
{
	/* Only read: the direction says so. */
	return copy(iov, count, offset, (uint8_t *)from, size, false);
}
