/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest: one page. It turns its interrupt file on and tells the host, in
 * the argument of a console call, which interrupt it has taken last.
 */
#include "covi.h"
#include "cove.h"

#define SISELECT	0x150
#define SIREG		0x151
#define STOPEI		0x15c
#define EIDELIVERY	0x70
#define EITHRESHOLD	0x72
#define EIE0		0xc0
#define SEIE		(1 << 9)

	.macro	set_file select, value
	li	t0, \select
	csrw	SISELECT, t0
	li	t0, \value
	csrw	SIREG, t0
	.endm

	/* The number of the last interrupt, and from now on none */
	.macro	report
	mv	a0, s0
	li	s0, 0
	ecall
	.endm

	.option	norvc
	.section .guest, "ax"
	.balign	4096
	.globl	guest_image
guest_image:
	lla	t0, interrupt
	csrw	stvec, t0
	li	s0, 0
	li	a0, GUEST_ID
	li	a6, COVE_COVG_ALLOW_EXTERNAL_INTERRUPT
	li	a7, COVE_EID_COVG
	ecall
	set_file EITHRESHOLD, 0
	set_file EIE0, (1 << GUEST_ID)
	set_file EIDELIVERY, 1
	li	t0, SEIE
	csrs	sie, t0
	csrsi	sstatus, 2
	li	a6, COVE_DBCN_CONSOLE_WRITE_BYTE
	li	a7, COVE_EID_DBCN

	/* Injected by the host while the vCPU waits */
	wfi
	report
	/* Put into the hart's file by the host: not for us */
	wfi
	report

	/* Injected by another hart while the vCPU runs */
	li	a0, ABOUT_TO_SPIN
	ecall
	csrr	s1, time
1:	beqz	s0, 1b
	report
	mv	a0, s1
	ecall

	/* From the guest to itself */
	li	t0, GUEST_IMSIC
	li	t1, GUEST_ID
	sw	t1, 0(t0)
	fence
	report

	/* Injected on the way to another hart: taken before anything else there */
	report
1:	wfi
	j	1b

	.balign	4
interrupt:
	csrrw	s0, STOPEI, zero
	srli	s0, s0, 16
	sret
	.balign	4096
