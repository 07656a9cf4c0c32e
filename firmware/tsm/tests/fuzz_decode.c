// SPDX-License-Identifier: BSD-2-Clause
/*
 * libFuzzer on the decoder of MMIO instructions, against the encodings of the
 * unprivileged specification ("Instruction Set Listings", and Zcb) as masks.
 * Inputs are instructions of 32 bits, one behind the other.
 */
#include "run/run.h"
#include "tests/fuzz.h"

enum field {
	/** Bits 11:7, 24:20 and 6:2; x8 to x15 in bits 4:2 */
	RD,
	RS2,
	CRS2,
	SHORT,
	/** rd that must not be x0 */
	RD_NOT_0,
};

static const struct encoding {
	u32 mask;
	u32 match;
	u8 size;
	bool store;
	bool sign;
	enum field field;
} encodings[] = {
	{ 0x707f, 0x0003, 1, false, true, RD },		/* lb */
	{ 0x707f, 0x1003, 2, false, true, RD },		/* lh */
	{ 0x707f, 0x2003, 4, false, true, RD },		/* lw */
	{ 0x707f, 0x3003, 8, false, true, RD },		/* ld */
	{ 0x707f, 0x4003, 1, false, false, RD },	/* lbu */
	{ 0x707f, 0x5003, 2, false, false, RD },	/* lhu */
	{ 0x707f, 0x6003, 4, false, false, RD },	/* lwu */
	{ 0x707f, 0x0023, 1, true, false, RS2 },	/* sb */
	{ 0x707f, 0x1023, 2, true, false, RS2 },	/* sh */
	{ 0x707f, 0x2023, 4, true, false, RS2 },	/* sw */
	{ 0x707f, 0x3023, 8, true, false, RS2 },	/* sd */
	{ 0xe003, 0x4000, 4, false, true, SHORT },	/* c.lw */
	{ 0xe003, 0x6000, 8, false, true, SHORT },	/* c.ld */
	{ 0xe003, 0xc000, 4, true, false, SHORT },	/* c.sw */
	{ 0xe003, 0xe000, 8, true, false, SHORT },	/* c.sd */
	{ 0xe003, 0x4002, 4, false, true, RD_NOT_0 },	/* c.lwsp */
	{ 0xe003, 0x6002, 8, false, true, RD_NOT_0 },	/* c.ldsp */
	{ 0xe003, 0xc002, 4, true, false, CRS2 },	/* c.swsp */
	{ 0xe003, 0xe002, 8, true, false, CRS2 },	/* c.sdsp */
	{ 0xfc03, 0x8000, 1, false, false, SHORT },	/* c.lbu */
	{ 0xfc43, 0x8400, 2, false, false, SHORT },	/* c.lhu */
	{ 0xfc43, 0x8440, 2, false, true, SHORT },	/* c.lh */
	{ 0xfc03, 0x8800, 1, true, false, SHORT },	/* c.sb */
	{ 0xfc43, 0x8c00, 2, true, false, SHORT },	/* c.sh */
};

static u32 register_of(u32 instruction, enum field field)
{
	switch (field) {
	case RS2:
		return instruction >> 20 & 31;
	case CRS2:
		return instruction >> 2 & 31;
	case SHORT:
		return 8 + (instruction >> 2 & 7);
	default:
		return instruction >> 7 & 31;
	}
}

static const struct encoding *find(u32 instruction)
{
	const struct encoding *at = encodings;
	const struct encoding *end = at + ARRAY_SIZE(encodings);

	while (at < end && (instruction & at->mask) != at->match)
		at++;
	if (at == end || (at->field == RD_NOT_0 &&
			  !register_of(instruction, at->field)))
		return NULL;
	return at;
}

/* What a load or a store of this size leaves of a value, by C's own types */
static u64 narrowed(u64 value, u8 size, bool sign)
{
	switch (size) {
	case 1:
		return sign ? (u64)(s64)(int8_t)value : (u8)value;
	case 2:
		return sign ? (u64)(s64)(int16_t)value : (u16)value;
	case 4:
		return sign ? (u64)(s64)(int32_t)value : (u32)value;
	default:
		return value;
	}
}

static void check_values(const struct access *access, u64 value)
{
	check_equal(access_truncate(access, value),
		    narrowed(value, access->size, false));
	check_equal(access_extend(access, value),
		    narrowed(value, access->size, access->sign));
}

/* What the host sees is an instruction too: the same access, of a0. */
static void check_transformed(const struct access *access)
{
	u32 seen = access_transformed(access);
	const struct encoding *encoding = find(seen);

	check_true(encoding && (seen & 3) == 3);
	check_equal(encoding->size, access->size);
	check_equal(encoding->store, access->store);
	check_equal(encoding->sign, access->sign);
	check_equal(seen & ~encoding->mask, access->store ? 10 << 20 : 10 << 7);
}

static void check_one(u32 instruction, u64 value)
{
	const struct encoding *encoding;
	struct access access;

	if ((instruction & 3) != 3)
		instruction &= 0xffff;
	encoding = find(instruction);
	check_equal(decode_access(instruction, &access), encoding != NULL);
	if (!encoding)
		return;
	check_equal(access.size, encoding->size);
	check_equal(access.store, encoding->store);
	check_equal(access.sign, encoding->sign);
	check_equal(access.reg, register_of(instruction, encoding->field));
	check_equal(access.length, (instruction & 3) == 3 ? 4 : 2);
	check_values(&access, value);
	check_transformed(&access);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input input = fuzz_begin(data, size);
	u64 word;

	while (fuzz_more(&input)) {
		word = fuzz_word(&input);
		check_one(word, word);
		check_one(word >> 32, ~word);
	}
	return 0;
}
