/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbedTLS as the U-mode task needs it: deterministic ECDSA over P-384, HKDF,
 * and a heap in a static buffer. No C library and no entropy: all that looks
 * random follows from the key (RFC 6979).
 */
#ifndef TASK_MBEDTLS_CONFIG_H
#define TASK_MBEDTLS_CONFIG_H

#define MBEDTLS_SHA384_C
#define MBEDTLS_MD_C
#define MBEDTLS_HKDF_C
#define MBEDTLS_HMAC_DRBG_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
/* Some of the portable code is faster with it, and none needs it. */
#define MBEDTLS_HAVE_ASM

#endif
