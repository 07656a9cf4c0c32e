/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiler's own limits.h wants a C library's; mbedTLS wants this much. */
#ifndef TSM_LIMITS_H
#define TSM_LIMITS_H

#define CHAR_BIT	__CHAR_BIT__
#define INT_MAX		__INT_MAX__
#define UINT_MAX	(INT_MAX * 2U + 1)

#endif
