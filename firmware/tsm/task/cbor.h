/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CBOR (RFC 8949) in its core deterministic form, written into a buffer. What
 * does not fit is counted and not written; whoever reads asks cbor_fits().
 */
#ifndef TASK_CBOR_H
#define TASK_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cbor {
	uint8_t *out;
	size_t room;
	/** Bytes so far, also of those that did not fit */
	size_t used;
};

/** Everything so far is in the buffer */
static inline bool cbor_fits(const struct cbor *cbor)
{
	return cbor->used <= cbor->room;
}

void cbor_int(struct cbor *cbor, int64_t value);
void cbor_bytes(struct cbor *cbor, const void *bytes, size_t size);
void cbor_text(struct cbor *cbor, const char *text);

/** Heads: what they announce has to follow */
void cbor_bytes_head(struct cbor *cbor, size_t size);
void cbor_array(struct cbor *cbor, size_t items);
void cbor_map(struct cbor *cbor, size_t pairs);
void cbor_tag(struct cbor *cbor, uint64_t tag);

/** Bytes that are CBOR already */
void cbor_raw(struct cbor *cbor, const void *bytes, size_t size);

#endif
