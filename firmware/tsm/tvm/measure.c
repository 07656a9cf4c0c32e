// SPDX-License-Identifier: BSD-2-Clause
/*
 * Measurement registers start as 48 zero bytes; the rules are in the header.
 * The TSM is little endian, so numbers are hashed as they are.
 */
#include "tvm/tvm.h"

void measure_page(u8 digest[DIGEST_SIZE], u64 gpa, u64 page)
{
	const struct piece pieces[] = {
		{ digest, DIGEST_SIZE },
		{ &gpa, sizeof(gpa) },
		{ phys_to_virt(page), PAGE_SIZE },
	};

	sha384(digest, pieces, ARRAY_SIZE(pieces));
}

void measure_word(u8 digest[DIGEST_SIZE], u64 value)
{
	const struct piece pieces[] = {
		{ digest, DIGEST_SIZE },
		{ &value, sizeof(value) },
	};

	sha384(digest, pieces, ARRAY_SIZE(pieces));
}
