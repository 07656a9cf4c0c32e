// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inside out: the TVM's token, the three tokens as one EAT, and around it the
 * certificate in which the TSM vouches for the caller's key.
 */
#include "task/evidence.h"

#include <string.h>

#include "mbedtls/memory_buffer_alloc.h"
#include "task/sign.h"

#define TAG_CWT		61

/* A payload is built here before it is signed: one of token and certificate. */
static uint8_t payload_buffer[COVE_ATTEST_MAX_EVIDENCE];
/* The TVM's token, while it is part of nothing yet */
static uint8_t token_buffer[COVE_ATTEST_MAX_EVIDENCE];

static void register_claim(struct cbor *cbor, unsigned int index,
			   const uint8_t *value)
{
	cbor_map(cbor, 3);
	cbor_int(cbor, 1);
	cbor_int(cbor, index);
	cbor_int(cbor, 2);
	cbor_bytes(cbor, value, COVE_MEASUREMENT_DIGEST_SIZE);
	cbor_int(cbor, 3);
	cbor_text(cbor, "sha-384");
}

/* Registers first to end - 1 */
static void registers_claim(struct cbor *cbor, int64_t label,
			    const struct task_request *request,
			    unsigned int first, unsigned int end)
{
	unsigned int i;

	cbor_int(cbor, label);
	cbor_array(cbor, end - first);
	for (i = first; i < end; i++)
		register_claim(cbor, i, request->registers[i]);
}

static bool has_identity(const struct task_request *request)
{
	size_t i;

	for (i = 0; i < sizeof(request->identity); i++)
		if (request->identity[i])
			return true;
	return false;
}

/* Keys stand in the order of their encodings: shorter, then lexical. */
static void tvm_claims(struct cbor *cbor, const struct task_request *request)
{
	bool identity = has_identity(request);

	cbor_tag(cbor, TAG_CWT);
	cbor_map(cbor, identity ? 5 : 4);
	cbor_int(cbor, COVE_CLAIM_NONCE);
	cbor_bytes(cbor, request->challenge, sizeof(request->challenge));
	cbor_int(cbor, COVE_CLAIM_TVM_KEY);
	cbor_bytes(cbor, request->key, request->key_size);
	registers_claim(cbor, COVE_CLAIM_INITIAL, request,
			COVE_MEASUREMENT_TVM_PAGES, COVE_MEASUREMENT_INITIAL);
	registers_claim(cbor, COVE_CLAIM_RUNTIME, request,
			COVE_MEASUREMENT_INITIAL, TASK_REGISTERS);
	if (identity) {
		cbor_int(cbor, COVE_CLAIM_IDENTITY);
		cbor_bytes(cbor, request->identity, sizeof(request->identity));
	}
}

/* Names are lower-case hexadecimal text. */
static void name_claim(struct cbor *cbor, int64_t label,
		       const uint8_t id[KEY_ID_SIZE])
{
	char text[2 * KEY_ID_SIZE + 1];
	unsigned int i;

	for (i = 0; i < KEY_ID_SIZE; i++) {
		text[2 * i] = "0123456789abcdef"[id[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
	}
	text[2 * KEY_ID_SIZE] = 0;
	cbor_int(cbor, label);
	cbor_text(cbor, text);
}

static void certificate_claims(struct cbor *cbor,
			       const struct task_request *request,
			       const uint8_t subject[KEY_ID_SIZE],
			       const struct cbor *token)
{
	const struct tee_handover *handover = &request->handover;

	cbor_tag(cbor, TAG_CWT);
	cbor_map(cbor, 3);
	name_claim(cbor, COVE_CLAIM_ISS, handover->tsm_id);
	name_claim(cbor, COVE_CLAIM_SUB, subject);
	cbor_int(cbor, COVE_CLAIM_EVIDENCE);
	cbor_map(cbor, 1);
	cbor_int(cbor, COVE_CLAIM_SUBMODS);
	cbor_map(cbor, 3);
	cbor_text(cbor, "tsm");
	cbor_raw(cbor, handover->tsm_token, handover->tsm_size);
	cbor_text(cbor, "tvm");
	cbor_raw(cbor, token->out, token->used);
	cbor_text(cbor, "platform");
	cbor_raw(cbor, handover->platform_token, handover->platform_size);
}

static bool tvm_token(struct cbor *token, struct signer *signer,
		      const struct task_request *request)
{
	struct cbor payload = {
		.out = payload_buffer, .room = sizeof(payload_buffer),
	};

	tvm_claims(&payload, request);
	return cose_sign1(token, signer, &payload);
}

static bool certificate(struct cbor *out, struct signer *signer,
			const struct task_request *request)
{
	struct cbor token = {
		.out = token_buffer, .room = sizeof(token_buffer),
	};
	struct cbor payload = {
		.out = payload_buffer, .room = sizeof(payload_buffer),
	};
	uint8_t subject[KEY_ID_SIZE];

	if (!tvm_token(&token, signer, request) ||
	    !key_id(request->key, request->key_size, subject))
		return false;
	certificate_claims(&payload, request, subject, &token);
	return cose_sign1(out, signer, &payload);
}

void evidence_heap(void *memory, size_t size)
{
	mbedtls_memory_buffer_alloc_init(memory, size);
}

void evidence_build(const struct task_request *request,
		    struct task_result *result)
{
	struct cbor out = {
		.out = result->evidence, .room = sizeof(result->evidence),
	};
	struct signer signer;
	bool ok;

	ok = signer_open(&signer, request->cdi, sizeof(request->cdi)) &&
	     certificate(&out, &signer, request);
	signer_close(&signer);
	result->size = ok ? out.used : 0;
}
