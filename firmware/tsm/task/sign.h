/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSM's key and what it signs, by mbedTLS. */
#ifndef TASK_SIGN_H
#define TASK_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mbedtls/ecp.h"
#include "mbedtls/hmac_drbg.h"

#include "task/cbor.h"

#define SIGNATURE_SIZE	96
#define KEY_ID_SIZE	20

struct signer {
	mbedtls_ecp_group group;
	mbedtls_mpi key;
	/** Blinds the computation; no output depends on it */
	mbedtls_hmac_drbg_context blinding;
};

/** Derive the key from a CDI; @return false when mbedTLS has no memory left */
bool signer_open(struct signer *signer, const uint8_t *cdi, size_t size);

/** Wipe the key; also after signer_open() has failed */
void signer_close(struct signer *signer);

/** CDI_ID of a key: HKDF over the bytes that name it */
bool key_id(const uint8_t *key, size_t size, uint8_t id[KEY_ID_SIZE]);

/**
 * Append a COSE_Sign1 (RFC 9052, tag 18) with ES384 around the payload, which
 * must not be in the same buffer.
 */
bool cose_sign1(struct cbor *out, struct signer *signer,
		const struct cbor *payload);

#endif
