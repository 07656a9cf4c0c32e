/* SPDX-License-Identifier: BSD-2-Clause */
/* mbedTLS uses nothing of this header but in the U-mode task. */
#ifndef TSM_STDLIB_H
#define TSM_STDLIB_H

#include <stddef.h>

void exit(int status) __attribute__((noreturn));

#endif
