// SPDX-License-Identifier: BSD-2-Clause
#include "task/sign.h"

#include <string.h>

#include "abi/cove.h"
#include "mbedtls/ecdsa.h"
#include "mbedtls/hkdf.h"
#include "mbedtls/md.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha512.h"

#define TAG_SIGN1	18
/* 64 bits more than the order: no number is likelier (FIPS 186-5, A.2.1). */
#define EXTRA_SIZE	56
#define HALF		(SIGNATURE_SIZE / 2)

/* {1: -35}, which is ES384 */
static const uint8_t protected_header[] = { 0xa1, 0x01, 0x38, 0x22 };

_Static_assert(COVE_CLAIM_ALG_ES384 == -1 - 0x22, "the header names ES384");

static bool derive(const void *secret, size_t size, const char *purpose,
		   uint8_t *out, size_t out_size)
{
	const mbedtls_md_info_t *md = mbedtls_md_info_from_type(
		MBEDTLS_MD_SHA384);

	return !mbedtls_hkdf(md, NULL, 0, secret, size,
			     (const unsigned char *)purpose, strlen(purpose),
			     out, out_size);
}

/* key = (stretched CDI mod (order - 1)) + 1 */
static bool derive_key(struct signer *signer, const uint8_t *cdi, size_t size)
{
	uint8_t stretched[EXTRA_SIZE];
	mbedtls_mpi limit;
	bool ok;

	mbedtls_mpi_init(&limit);
	ok = derive(cdi, size, "teecall key", stretched, sizeof(stretched)) &&
	     !mbedtls_mpi_sub_int(&limit, &signer->group.N, 1) &&
	     !mbedtls_mpi_read_binary(&signer->key, stretched,
				      sizeof(stretched)) &&
	     !mbedtls_mpi_mod_mpi(&signer->key, &signer->key, &limit) &&
	     !mbedtls_mpi_add_int(&signer->key, &signer->key, 1);
	mbedtls_mpi_free(&limit);
	mbedtls_platform_zeroize(stretched, sizeof(stretched));
	return ok;
}

static bool seed_blinding(struct signer *signer, const uint8_t *cdi,
			  size_t size)
{
	uint8_t seed[48];
	bool ok;

	ok = derive(cdi, size, "teecall blinding", seed, sizeof(seed)) &&
	     !mbedtls_hmac_drbg_seed_buf(&signer->blinding,
					 mbedtls_md_info_from_type(
						 MBEDTLS_MD_SHA384),
					 seed, sizeof(seed));
	mbedtls_platform_zeroize(seed, sizeof(seed));
	return ok;
}

bool signer_open(struct signer *signer, const uint8_t *cdi, size_t size)
{
	mbedtls_ecp_group_init(&signer->group);
	mbedtls_mpi_init(&signer->key);
	mbedtls_hmac_drbg_init(&signer->blinding);
	return !mbedtls_ecp_group_load(&signer->group,
				       MBEDTLS_ECP_DP_SECP384R1) &&
	       derive_key(signer, cdi, size) &&
	       seed_blinding(signer, cdi, size);
}

void signer_close(struct signer *signer)
{
	mbedtls_hmac_drbg_free(&signer->blinding);
	mbedtls_mpi_free(&signer->key);
	mbedtls_ecp_group_free(&signer->group);
}

bool key_id(const uint8_t *key, size_t size, uint8_t id[KEY_ID_SIZE])
{
	return derive(key, size, "teecall ID", id, KEY_ID_SIZE);
}

static bool sign_digest(struct signer *signer, const uint8_t digest[HALF],
			uint8_t signature[SIGNATURE_SIZE])
{
	mbedtls_mpi r, s;
	bool ok;

	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	ok = !mbedtls_ecdsa_sign_det_ext(&signer->group, &r, &s, &signer->key,
					 digest, HALF, MBEDTLS_MD_SHA384,
					 mbedtls_hmac_drbg_random,
					 &signer->blinding) &&
	     !mbedtls_mpi_write_binary(&r, signature, HALF) &&
	     !mbedtls_mpi_write_binary(&s, signature + HALF, HALF);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	return ok;
}

/* Over the Sig_structure: context, protected header, no AAD, payload. */
static bool hash(const struct cbor *payload, uint8_t digest[HALF])
{
	mbedtls_sha512_context context;
	uint8_t buffer[32];
	struct cbor head = { .out = buffer, .room = sizeof(buffer) };
	bool ok;

	cbor_array(&head, 4);
	cbor_text(&head, "Signature1");
	cbor_bytes(&head, protected_header, sizeof(protected_header));
	cbor_bytes(&head, "", 0);
	cbor_bytes_head(&head, payload->used);
	mbedtls_sha512_init(&context);
	ok = cbor_fits(&head) && !mbedtls_sha512_starts(&context, 1) &&
	     !mbedtls_sha512_update(&context, head.out, head.used) &&
	     !mbedtls_sha512_update(&context, payload->out, payload->used) &&
	     !mbedtls_sha512_finish(&context, digest);
	mbedtls_sha512_free(&context);
	return ok;
}

bool cose_sign1(struct cbor *out, struct signer *signer,
		const struct cbor *payload)
{
	uint8_t digest[HALF], signature[SIGNATURE_SIZE];

	if (!cbor_fits(payload) || !hash(payload, digest) ||
	    !sign_digest(signer, digest, signature))
		return false;
	cbor_tag(out, TAG_SIGN1);
	cbor_array(out, 4);
	cbor_bytes(out, protected_header, sizeof(protected_header));
	cbor_map(out, 0);
	cbor_bytes(out, payload->out, payload->used);
	cbor_bytes(out, signature, sizeof(signature));
	return cbor_fits(out);
}
