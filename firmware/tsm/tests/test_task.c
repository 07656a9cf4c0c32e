// SPDX-License-Identifier: BSD-2-Clause
/*
 * The evidence encoder by itself, under ASan and UBSan: known encodings, and
 * whatever the request says, well-formed CBOR or an error.
 */
#include <stdlib.h>

#include "task/cbor.h"
#include "task/evidence.h"
#include "tests/test.h"

#define ROUNDS		64
#define HEAP		16384

/* RFC 8949, appendix A */
static void cbor_examples(void)
{
	static const struct {
		s64 value;
		u8 size, bytes[9];
	} examples[] = {
		{ 0, 1, { 0x00 } },
		{ 23, 1, { 0x17 } },
		{ 24, 2, { 0x18, 0x18 } },
		{ 1000, 3, { 0x19, 0x03, 0xe8 } },
		{ 1000000, 5, { 0x1a, 0x00, 0x0f, 0x42, 0x40 } },
		{ 1000000000000, 9,
		  { 0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0 } },
		{ -1, 1, { 0x20 } },
		{ -100, 2, { 0x38, 0x63 } },
		{ -1000, 3, { 0x39, 0x03, 0xe7 } },
		{ INT64_MIN, 9,
		  { 0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	};
	unsigned int i;
	u8 buffer[16];

	for (i = 0; i < ARRAY_SIZE(examples); i++) {
		struct cbor cbor = { .out = buffer, .room = sizeof(buffer) };

		cbor_int(&cbor, examples[i].value);
		check_equal(cbor.used, examples[i].size);
		check_equal(memcmp(buffer, examples[i].bytes, cbor.used), 0);
	}
}

/* Nothing is written behind the room, and it is known what was missing. */
static void cbor_counts_what_does_not_fit(void)
{
	u8 *buffer = malloc(5);
	struct cbor cbor = { .out = buffer, .room = 5 };

	cbor_text(&cbor, "abcd");
	check_true(cbor_fits(&cbor));
	cbor_bytes(&cbor, "efgh", 4);
	cbor_int(&cbor, 0);
	check_equal(cbor.used, 11);
	check_true(!cbor_fits(&cbor));
	check_equal(memcmp(buffer, "\x64" "abcd", 5), 0);
	free(buffer);
}

/* Walk one item; @return bytes it has, 0 if it is not well formed */
static size_t item(const u8 *data, size_t size, unsigned int depth)
{
	size_t used = 1, count, i, part;
	u64 value;

	if (!size || depth > 8)
		return 0;
	value = data[0] & 31;
	if (value >= 24) {
		part = value > 27 ? 9 : 1UL << (value - 24);
		if (part > 8 || size < 1 + part)
			return 0;
		for (value = 0, i = 0; i < part; i++)
			value = value << 8 | data[1 + i];
		used += part;
	}
	switch (data[0] >> 5) {
	case 0:
	case 1:
		return used;
	case 2:
	case 3:
		return value > size - used ? 0 : used + value;
	case 4:
	case 5:
	case 6:
		count = data[0] >> 5 == 4 ? value :
			data[0] >> 5 == 5 ? 2 * value : 1;
		for (i = 0; i < count; i++) {
			part = item(data + used, size - used, depth + 1);
			if (!part)
				return 0;
			used += part;
		}
		return used;
	}
	return 0;
}

static u64 next_random(u64 *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

static void fill(u8 *to, size_t size, u64 *state)
{
	size_t i;

	for (i = 0; i < size; i++)
		to[i] = next_random(state);
}

/* Sizes at the borders come more often than chance would have them. */
static u64 some_size(u64 limit, u64 *state)
{
	switch (next_random(state) % 4) {
	case 0:
		return limit;
	case 1:
		return 1 + next_random(state) % 32;
	default:
		return 1 + next_random(state) % limit;
	}
}

/* An item of CBOR: a byte string that fills the token */
static u32 some_token(u8 *token, u64 *state)
{
	u64 size = some_size(COVE_ATTEST_HANDOVER_TOKEN - 3, state);

	token[0] = 0x59;
	token[1] = size >> 8;
	token[2] = size;
	return 3 + size;
}

static void build_random(struct task_io *io, u64 *state)
{
	struct task_request *request = &io->request;
	struct tee_handover *handover = &request->handover;

	fill((u8 *)io, sizeof(*io), state);
	request->key_size = some_size(COVE_ATTEST_MAX_KEY, state);
	handover->platform_size = some_token(handover->platform_token, state);
	handover->tsm_size = some_token(handover->tsm_token, state);
	if (next_random(state) % 2)
		memset(request->identity, 0, sizeof(request->identity));
}

static void any_request_gives_cbor(void)
{
	struct task_io *io = malloc(sizeof(*io));
	u8 *heap = malloc(HEAP);
	u64 state = 1;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		build_random(io, &state);
		evidence_heap(heap, HEAP);
		evidence_build(&io->request, &io->result);
		check_true(io->result.size);
		check_true(io->result.size <= COVE_ATTEST_MAX_EVIDENCE);
		check_equal(item(io->result.evidence, io->result.size, 0),
			    io->result.size);
	}
	free(heap);
	free(io);
}

/* The largest of everything fits in what get_evidence may give. */
static void the_largest_fits(void)
{
	struct task_io *io = malloc(sizeof(*io));
	u8 *heap = malloc(HEAP);

	memset(io, 0x5a, sizeof(*io));
	io->request.key_size = COVE_ATTEST_MAX_KEY;
	io->request.handover.platform_size = COVE_ATTEST_HANDOVER_TOKEN;
	io->request.handover.tsm_size = COVE_ATTEST_HANDOVER_TOKEN;
	evidence_heap(heap, HEAP);
	evidence_build(&io->request, &io->result);
	check_true(io->result.size);
	free(heap);
	free(io);
}

/* mbedTLS says so when it has no memory, and nothing is given. */
static void a_small_heap_is_an_error(void)
{
	struct task_io *io = calloc(1, sizeof(*io));
	u8 *heap = malloc(HEAP);
	size_t size;
	bool failed = false, built = false;

	io->request.key_size = 1;
	for (size = 512; size <= HEAP; size += 512) {
		evidence_heap(heap, size);
		evidence_build(&io->request, &io->result);
		failed = failed || !io->result.size;
		built = built || io->result.size;
	}
	check_true(failed && built);
	free(heap);
	free(io);
}

const struct test task_tests[] = {
	{ "task: CBOR examples", cbor_examples },
	{ "task: CBOR that does not fit", cbor_counts_what_does_not_fit },
	{ "task: any request", any_request_gives_cbor },
	{ "task: the largest evidence", the_largest_fits },
	{ "task: no memory", a_small_heap_is_an_error },
	{ NULL, NULL },
};
