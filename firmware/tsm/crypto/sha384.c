// SPDX-License-Identifier: BSD-2-Clause
#include "crypto/crypto.h"
#include "trace/trace.h"

#include "mbedtls/sha512.h"

/* In portable C these functions can only fail on wrong arguments of ours. */
static void must(int error)
{
	if (error)
		tsm_panic("mbedtls: error %d", error);
}

void sha384(u8 out[DIGEST_SIZE], const struct piece *pieces, size_t count)
{
	mbedtls_sha512_context context;
	size_t i;

	mbedtls_sha512_init(&context);
	must(mbedtls_sha512_starts(&context, 1));
	for (i = 0; i < count; i++)
		must(mbedtls_sha512_update(&context, pieces[i].data,
					   pieces[i].size));
	must(mbedtls_sha512_finish(&context, out));
	/* Wipes the context too: it has seen confidential bytes. */
	mbedtls_sha512_free(&context);
}
