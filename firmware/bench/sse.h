/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SSE_H
#define SSE_H

/* SBI 3.0, supervisor software events */
#define EID_SSE			0x535345
#define SSE_REGISTER		2
#define SSE_ENABLE		4
#define SSE_COMPLETE		6
#define SSE_INJECT		7
#define SSE_HART_UNMASK		8
#define SSE_LOCAL_SOFTWARE	0xffff0000

#endif
