/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Offsets into struct tsmd_hart for tsmd_vector.S; tsmd.h checks them.
 */
#ifndef TSMD_ASM_H
#define TSMD_ASM_H

#define TSMD_HART_IN_TSM	0
#define TSMD_HART_FAST		1
#define TSMD_HART_INDEX		4
#define TSMD_HART_TSM_MSTATUS	8
#define TSMD_HART_HOST		16

#endif
