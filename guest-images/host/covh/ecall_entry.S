/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ECALL with every general register set before and recorded after.
 *
 * Firmware that switches domains may return with any register changed, and
 * finding that out is what this driver is for. So nothing is assumed to
 * survive: callee-saved registers, gp and tp are reloaded from our stack
 * frame. The guarded form finds that frame through sscratch, which is zero
 * and unused while Linux runs with interrupts off; the plain form, which an
 * interrupt may hit, has to leave sscratch alone and trusts sp.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/csr.h>
#include "ecall_frame.h"

#define SAVED_RA	0
#define SAVED_S(n)	(8 + 8 * (n))
#define SAVED_GP	104
#define SAVED_TP	112
#define FRAME		120
#define OUT_T0		128
#define AFTER_TIME	136
#define AFTER_INSTRET	144
#define AFTER_SCAUSE	152
#define AFTER_STVAL	160
#define STACK_SIZE	176

#define IN(n)		(COVH_FRAME_IN + 8 * (n))
#define OUT(n)		(COVH_FRAME_OUT + 8 * (n))

.macro save_callee
	sd	ra, SAVED_RA(sp)
	sd	s0, SAVED_S(0)(sp)
	sd	s1, SAVED_S(1)(sp)
	.irp	n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	sd	s\n, SAVED_S(\n)(sp)
	.endr
	sd	gp, SAVED_GP(sp)
	sd	tp, SAVED_TP(sp)
.endm

.macro restore_callee
	ld	tp, SAVED_TP(sp)
	ld	gp, SAVED_GP(sp)
	.irp	n, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2
	ld	s\n, SAVED_S(\n)(sp)
	.endr
	ld	s1, SAVED_S(1)(sp)
	ld	s0, SAVED_S(0)(sp)
	ld	ra, SAVED_RA(sp)
.endm

/* All but x5, which holds the frame, and x2, x3, x4, which stay as they are. */
.macro load_registers
	sd	x2, IN(2)(x5)
	sd	x3, IN(3)(x5)
	sd	x4, IN(4)(x5)
	ld	x1, IN(1)(x5)
	.irp	n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
	ld	x\n, IN(\n)(x5)
	.endr
	.irp	n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	ld	x\n, IN(\n)(x5)
	.endr
	csrr	x31, CSR_TIME
	sd	x31, COVH_FRAME_TIME0(x5)
	csrr	x31, CSR_INSTRET
	sd	x31, COVH_FRAME_INSTRET0(x5)
	ld	x31, IN(31)(x5)
.endm

.macro record_csrs
	sd	x5, OUT_T0(sp)
	csrr	x5, CSR_INSTRET
	sd	x5, AFTER_INSTRET(sp)
	csrr	x5, CSR_TIME
	sd	x5, AFTER_TIME(sp)
	csrr	x5, CSR_SCAUSE
	sd	x5, AFTER_SCAUSE(sp)
	csrr	x5, CSR_STVAL
	sd	x5, AFTER_STVAL(sp)
.endm

/* All but x2, which differs between the two forms; leaves the frame in x5. */
.macro record_registers
	ld	x5, FRAME(sp)
	sd	x1, OUT(1)(x5)
	sd	x3, OUT(3)(x5)
	sd	x4, OUT(4)(x5)
	.irp	n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
	sd	x\n, OUT(\n)(x5)
	.endr
	.irp	n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	sd	x\n, OUT(\n)(x5)
	.endr
	ld	x6, OUT_T0(sp)
	sd	x6, OUT(5)(x5)
	ld	x6, AFTER_TIME(sp)
	sd	x6, COVH_FRAME_TIME1(x5)
	ld	x6, AFTER_INSTRET(sp)
	sd	x6, COVH_FRAME_INSTRET1(x5)
	ld	x6, AFTER_SCAUSE(sp)
	sd	x6, COVH_FRAME_SCAUSE(x5)
	ld	x6, AFTER_STVAL(sp)
	sd	x6, COVH_FRAME_STVAL(x5)
.endm

SYM_FUNC_START(covh_ecall_guarded)
	addi	sp, sp, -STACK_SIZE
	save_callee
	sd	a0, FRAME(sp)
	mv	x5, a0
	csrw	CSR_SCRATCH, sp
	load_registers
	ld	x5, IN(5)(x5)
	ecall
	csrrw	sp, CSR_SCRATCH, sp
	record_csrs
	record_registers
	csrrw	x6, CSR_SCRATCH, zero
	sd	x6, OUT(2)(x5)
	restore_callee
	addi	sp, sp, STACK_SIZE
	ret
SYM_FUNC_END(covh_ecall_guarded)

SYM_FUNC_START(covh_ecall_plain)
	addi	sp, sp, -STACK_SIZE
	save_callee
	sd	a0, FRAME(sp)
	mv	x5, a0
	load_registers
	ld	x5, IN(5)(x5)
	ecall
	record_csrs
	record_registers
	sd	sp, OUT(2)(x5)
	restore_callee
	addi	sp, sp, STACK_SIZE
	ret
SYM_FUNC_END(covh_ecall_plain)
