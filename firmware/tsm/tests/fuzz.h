/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzzers of the TSM's logic share. */
#ifndef TSM_FUZZ_H
#define TSM_FUZZ_H

#include "tests/test.h"

/** Operations behind those of the input */
#define FUZZ_TAIL	48

/**
 * libFuzzer's input, which is read from its front. Behind its end come numbers
 * that follow from it, so that short inputs go deep as well.
 */
struct fuzz_input {
	const u8 *data;
	size_t left;
	u64 seed;
	unsigned int tail;
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static inline struct fuzz_input fuzz_begin(const u8 *data, size_t size)
{
	struct fuzz_input input = { data, size, 1, FUZZ_TAIL };
	size_t i;

	for (i = 0; i < size; i++)
		input.seed = (input.seed ^ data[i]) * 0x100000001b3UL;
	return input;
}

/** Another operation is to be done */
static inline bool fuzz_more(struct fuzz_input *input)
{
	return input->left || input->tail-- > 0;
}

/** The next byte, below a limit of at most 256 */
static inline unsigned int fuzz_byte(struct fuzz_input *input,
				     unsigned int limit)
{
	if (input->left) {
		input->left--;
		return *input->data++ % limit;
	}
	input->seed = input->seed * 6364136223846793005UL + 1442695040888963407UL;
	return (input->seed >> 33) % limit;
}

/** The next eight bytes */
static inline u64 fuzz_word(struct fuzz_input *input)
{
	u64 word = 0;
	int i;

	for (i = 0; i < 8; i++)
		word = word << 8 | fuzz_byte(input, 256);
	return word;
}

#endif
