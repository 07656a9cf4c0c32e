/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzzers of the TSM's logic share. */
#ifndef TSM_FUZZ_H
#define TSM_FUZZ_H

#include "tests/test.h"

/** libFuzzer's input, which is read from its front */
struct fuzz_input {
	const u8 *data;
	size_t left;
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/** The next byte below a limit of at most 256; 0 behind the end */
static inline unsigned int fuzz_byte(struct fuzz_input *input,
				     unsigned int limit)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->data++ % limit;
}

/** The next eight bytes, zeros behind the end */
static inline u64 fuzz_word(struct fuzz_input *input)
{
	u64 word = 0;
	int i;

	for (i = 0; i < 8; i++)
		word = word << 8 | fuzz_byte(input, 256);
	return word;
}

#endif
