/* SPDX-License-Identifier: BSD-2-Clause */
/* mbedTLS includes this header but uses nothing of it in our configuration. */
#ifndef TSM_STDLIB_H
#define TSM_STDLIB_H

#include <stddef.h>

#endif
