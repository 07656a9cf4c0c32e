// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loads and stores of RV64GC and Zcb, as an access of one integer register.
 * Nothing else is emulated: atomic, floating-point and vector accesses to a
 * device end in the guest's illegal instruction.
 */
#include "run/run.h"

#define OPCODE_LOAD	0x03
#define OPCODE_STORE	0x23
#define A0		10

static u32 bits(u32 instruction, unsigned int from, unsigned int count)
{
	return instruction >> from & ((1U << count) - 1);
}

/* x8 to x15, as most compressed instructions name them. */
static u8 short_register(u32 instruction, unsigned int from)
{
	return 8 + bits(instruction, from, 3);
}

static void load(struct access *access, u8 size, bool sign, u8 reg)
{
	*access = (struct access){
		.size = size,
		.sign = sign,
		.reg = reg,
		.length = 2,
	};
}

static void store(struct access *access, u8 size, u8 reg)
{
	*access = (struct access){
		.size = size,
		.store = true,
		.reg = reg,
		.length = 2,
	};
}

/* funct3: log2 of the size, and bit 2 for loads that extend with zeros */
static bool decode_long(u32 instruction, struct access *access)
{
	u32 funct3 = bits(instruction, 12, 3);
	u8 size = 1 << (funct3 & 3);

	switch (instruction & 0x7f) {
	case OPCODE_LOAD:
		if (funct3 == 7)
			return false;
		load(access, size, funct3 < 4, bits(instruction, 7, 5));
		break;
	case OPCODE_STORE:
		if (funct3 > 3)
			return false;
		store(access, size, bits(instruction, 20, 5));
		break;
	default:
		return false;
	}
	access->length = 4;
	return true;
}

/* Zcb: c.lbu, c.lhu, c.lh, c.sb, c.sh */
static bool decode_zcb(u32 instruction, struct access *access)
{
	u8 reg = short_register(instruction, 2);

	switch (bits(instruction, 10, 3)) {
	case 0:
		load(access, 1, false, reg);
		return true;
	case 1:
		load(access, 2, bits(instruction, 6, 1), reg);
		return true;
	case 2:
		store(access, 1, reg);
		return true;
	case 3:
		store(access, 2, reg);
		return !bits(instruction, 6, 1);
	default:
		return false;
	}
}

static bool decode_quadrant0(u32 instruction, struct access *access)
{
	u8 reg = short_register(instruction, 2);

	switch (bits(instruction, 13, 3)) {
	case 2:
		load(access, 4, true, reg);
		return true;
	case 3:
		load(access, 8, true, reg);
		return true;
	case 4:
		return decode_zcb(instruction, access);
	case 6:
		store(access, 4, reg);
		return true;
	case 7:
		store(access, 8, reg);
		return true;
	default:
		return false;
	}
}

/* With the stack pointer as base; a load to x0 is reserved. */
static bool decode_quadrant2(u32 instruction, struct access *access)
{
	u8 rd = bits(instruction, 7, 5);

	switch (bits(instruction, 13, 3)) {
	case 2:
		load(access, 4, true, rd);
		return rd;
	case 3:
		load(access, 8, true, rd);
		return rd;
	case 6:
		store(access, 4, bits(instruction, 2, 5));
		return true;
	case 7:
		store(access, 8, bits(instruction, 2, 5));
		return true;
	default:
		return false;
	}
}

bool decode_access(u32 instruction, struct access *access)
{
	switch (instruction & 3) {
	case 0:
		return decode_quadrant0(instruction, access);
	case 2:
		return decode_quadrant2(instruction, access);
	case 3:
		return decode_long(instruction, access);
	default:
		return false;
	}
}

static unsigned int size_log2(const struct access *access)
{
	unsigned int log2 = 0;

	while (1U << log2 < access->size)
		log2++;
	return log2;
}

u32 access_transformed(const struct access *access)
{
	u32 funct3 = size_log2(access);

	if (access->store)
		return A0 << 20 | funct3 << 12 | OPCODE_STORE;
	/* There is no ldu: all of a doubleword is read. */
	if (!access->sign && access->size < 8)
		funct3 |= 4;
	return funct3 << 12 | A0 << 7 | OPCODE_LOAD;
}

u64 access_truncate(const struct access *access, u64 value)
{
	return access->size < 8 ? value & ((1UL << 8 * access->size) - 1) :
				  value;
}

u64 access_extend(const struct access *access, u64 value)
{
	u64 top = 1UL << (8 * access->size - 1);

	value = access_truncate(access, value);
	if (access->sign && (value & top))
		value |= -top;
	return value;
}
