/* SPDX-License-Identifier: BSD-2-Clause */
/* What the compiler and mbedTLS expect of a C library, and no more. */
#ifndef TSM_STRING_H
#define TSM_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

/* In the U-mode task only */
int strcmp(const char *a, const char *b);

#endif
