/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Layout of struct covh_frame, for the assembly that fills it.
 */
#ifndef COVH_ECALL_FRAME_H
#define COVH_ECALL_FRAME_H

#define COVH_FRAME_IN		0
#define COVH_FRAME_OUT		256
#define COVH_FRAME_TIME0	512
#define COVH_FRAME_TIME1	520
#define COVH_FRAME_INSTRET0	528
#define COVH_FRAME_INSTRET1	536
#define COVH_FRAME_SCAUSE	544
#define COVH_FRAME_STVAL	552

#ifndef __ASSEMBLY__

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * struct covh_frame - all that is seen of one ECALL
 * @in: x0 to x31 right before; sp, gp and tp are filled in by the assembly
 * @out: x0 to x31 right after
 */
struct covh_frame {
	u64 in[32];
	u64 out[32];
	u64 time0, time1;
	u64 instret0, instret1;
	u64 scause, stval;
};

static_assert(offsetof(struct covh_frame, in) == COVH_FRAME_IN);
static_assert(offsetof(struct covh_frame, out) == COVH_FRAME_OUT);
static_assert(offsetof(struct covh_frame, time0) == COVH_FRAME_TIME0);
static_assert(offsetof(struct covh_frame, time1) == COVH_FRAME_TIME1);
static_assert(offsetof(struct covh_frame, instret0) == COVH_FRAME_INSTRET0);
static_assert(offsetof(struct covh_frame, instret1) == COVH_FRAME_INSTRET1);
static_assert(offsetof(struct covh_frame, scause) == COVH_FRAME_SCAUSE);
static_assert(offsetof(struct covh_frame, stval) == COVH_FRAME_STVAL);

/* Interrupts must be off: sscratch is in use. Survives any change of any GPR. */
void covh_ecall_guarded(struct covh_frame *frame);

/* Interrupts may be on. Relies on sp alone. */
void covh_ecall_plain(struct covh_frame *frame);

#endif /* __ASSEMBLY__ */

#endif
