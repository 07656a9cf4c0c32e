/* SPDX-License-Identifier: BSD-2-Clause */
/* vector.c: all that the vector unit holds */
#ifndef GUEST_VECTOR_H
#define GUEST_VECTOR_H

#include <stdint.h>

#define VECTOR_REGISTERS	32
#define MAX_BYTES		(VECTOR_REGISTERS * 128)

struct vector {
	unsigned long vl, vtype, vcsr, vstart;
	uint8_t bytes[MAX_BYTES];
};

/** Turn the unit on; returns bytes per register, 0 if the guest has none. */
unsigned long vector_on(void);

/** The CSRs that do not belong to one instruction, and nothing else. */
void vector_csrs_write(unsigned long vcsr, unsigned long vstart);
int vector_csrs_are(unsigned long vcsr, unsigned long vstart);

unsigned long vector_type(void);
unsigned long vector_length(void);

/** Values that follow from the salt, different in every register. */
void vector_fill(struct vector *v, unsigned long vlenb, unsigned long salt);

void vector_load(const struct vector *v, unsigned long vlenb);
void vector_store(struct vector *v, unsigned long vlenb);
int vector_same(const struct vector *a, const struct vector *b,
		unsigned long vlenb);

#endif
