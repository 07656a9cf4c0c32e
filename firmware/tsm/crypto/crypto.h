/* SPDX-License-Identifier: BSD-2-Clause */
/* Hashes, by mbedTLS. */
#ifndef TSM_CRYPTO_H
#define TSM_CRYPTO_H

#include "abi/cove.h"
#include "lib/lib.h"

#define DIGEST_SIZE	COVE_MEASUREMENT_DIGEST_SIZE

/** One piece of what is hashed */
struct piece {
	const void *data;
	size_t size;
};

/** SHA-384 over the pieces in order; out may be one of the pieces */
void sha384(u8 out[DIGEST_SIZE], const struct piece *pieces, size_t count);

#endif
