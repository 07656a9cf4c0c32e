// SPDX-License-Identifier: BSD-2-Clause
/*
 * libFuzzer on the evidence encoder. The input is the request, cut off where
 * it likes; sizes stay within what the TSM lets through. A signature is a
 * constant here, and so is what is derived from a key.
 */
#include <stdlib.h>
#include <string.h>

#include "mbedtls/ecdsa.h"
#include "mbedtls/hkdf.h"
#include "task/evidence.h"

#define HEAP	16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int mbedtls_ecdsa_sign_det_ext(mbedtls_ecp_group *grp, mbedtls_mpi *r,
			       mbedtls_mpi *s, const mbedtls_mpi *d,
			       const unsigned char *buf, size_t blen,
			       mbedtls_md_type_t md_alg,
			       int (*f_rng_blind)(void *, unsigned char *,
						  size_t),
			       void *p_rng_blind)
{
	(void)grp, (void)d, (void)md_alg, (void)f_rng_blind, (void)p_rng_blind;
	return mbedtls_mpi_read_binary(r, buf, blen) ||
	       mbedtls_mpi_read_binary(s, buf, blen);
}

int mbedtls_hkdf(const mbedtls_md_info_t *md, const unsigned char *salt,
		 size_t salt_len, const unsigned char *ikm, size_t ikm_len,
		 const unsigned char *info, size_t info_len,
		 unsigned char *okm, size_t okm_len)
{
	size_t i;

	(void)md, (void)salt, (void)salt_len, (void)info, (void)info_len;
	memset(okm, 1, okm_len);
	/* All of the input is read, so that the sanitizer sees its end. */
	for (i = 0; i < ikm_len; i++)
		okm[i % okm_len] ^= ikm[i];
	return 0;
}

/* What the TSM's attest_possible() and check() have made sure of */
static void bound(struct task_request *request)
{
	request->key_size = 1 + request->key_size % COVE_ATTEST_MAX_KEY;
	request->handover.platform_size %= COVE_ATTEST_HANDOVER_TOKEN + 1;
	request->handover.tsm_size %= COVE_ATTEST_HANDOVER_TOKEN + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct task_io *io = calloc(1, sizeof(*io));
	uint8_t *heap = malloc(HEAP);

	memcpy(&io->request, data,
	       size < sizeof(io->request) ? size : sizeof(io->request));
	bound(&io->request);
	evidence_heap(heap, HEAP);
	evidence_build(&io->request, &io->result);
	/* COSE_Sign1: tag 18, array of four */
	if (!io->result.size || io->result.size > sizeof(io->result.evidence) ||
	    memcmp(io->result.evidence, "\xd2\x84", 2))
		abort();
	free(heap);
	free(io);
	return 0;
}
