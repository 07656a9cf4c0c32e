/* SPDX-License-Identifier: BSD-2-Clause */
/* mbedTLS asserts at compile time only. */
#ifndef TSM_ASSERT_H
#define TSM_ASSERT_H

#define assert(condition)	((void)0)
#define static_assert		_Static_assert

#endif
