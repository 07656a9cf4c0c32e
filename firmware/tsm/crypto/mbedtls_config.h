/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbedTLS as the TSM needs it: SHA-384 in portable C and nothing else. No
 * platform layer, no C library, no entropy.
 */
#ifndef TSM_MBEDTLS_CONFIG_H
#define TSM_MBEDTLS_CONFIG_H

#define MBEDTLS_SHA384_C
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS

#endif
