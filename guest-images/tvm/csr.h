/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GUEST_CSR_H
#define GUEST_CSR_H

/* A CSR by its number as text, because not every assembler knows all names. */
#define csr_read(number) ({						\
	unsigned long value_;						\
	asm volatile("csrr %0, " number : "=r"(value_) : : "memory");	\
	value_;								\
})

#define csr_write(number, value)					\
	asm volatile("csrw " number ", %0"				\
		     : : "r"((unsigned long)(value)) : "memory")

#endif
