/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit TSM's ways in and out. The call entry keeps every register as it
 * is until it is in memory: tp, which by contract holds the hart index, is
 * turned into an address by shifts and additions alone.
 */
#include "audit.h"
#include "gpr.inc"

	.option	norvc
	.section .text.entry, "ax"
	.globl	_start
_start:
	la	t0, tsm_trap
	csrw	CSR_STVEC, t0
	la	sp, boot_stack_end
	call	audit_tsm_boot

	.balign	4
	.globl	audit_tsm_call
	.type	audit_tsm_call, @object
	.size	audit_tsm_call, 4
audit_tsm_call:
	.rept	(AREA_BASE >> AREA_SHIFT) / 2047
	addi	tp, tp, 2047
	.endr
	addi	tp, tp, (AREA_BASE >> AREA_SHIFT) % 2047
	slli	tp, tp, AREA_SHIFT
	gprs_but 4, sd, AREA_GPR, tp
	lui	sp, AREA_STACK_TOP >> 12
	add	sp, sp, tp
	mv	a0, tp
	call	audit_tsm_main

	/* A trap of the TSM: M-mode's log names it better than anything here. */
	.balign	4
tsm_trap:
	unimp
	j	tsm_trap

	/* The fault of CALL_FAULT came here: say so. */
	.balign	4
	.globl	survived
survived:
	li	a0, 0
	li	a1, ANSWER_SURVIVED
	li	a4, 0
	li	a6, COVE_TSMD_RET
	li	a7, COVE_EID_TSMD
	ecall

	/* void tsm_leave(const u64 gpr[32]): every register, then ECALL */
	.globl	tsm_leave
tsm_leave:
	gprs_but 10, ld, 0, a0
	ld	a0, 80(a0)
	ecall
1:	j	1b

	/*
	 * void guest_run(struct tsm_area *area)
	 * hstatus and sstatus say where sret goes.
	 */
	.globl	guest_run
guest_run:
	callee_saved sd, AREA_SAVED, a0
	sd	x2, AREA_SAVED + 16(a0)
	csrw	CSR_SSCRATCH, a0
	la	t0, guest_trap
	csrw	CSR_STVEC, t0
	la	t0, guest_code
	csrw	CSR_SEPC, t0
	gprs_but 10, ld, AREA_GUEST_GPR, a0
	ld	a0, AREA_GUEST_GPR + 80(a0)
	sret

	.balign	4
guest_trap:
	csrrw	tp, CSR_SSCRATCH, tp
	mv	a0, tp
	callee_saved ld, AREA_SAVED, a0
	ld	x2, AREA_SAVED + 16(a0)
	ret

	/* In VS-mode the s* names reach the vs* registers. */
guest_code:
	csrw	CSR_SSCRATCH, s2
	csrw	CSR_SEPC, s3
	csrw	CSR_SCAUSE, s6
	csrw	CSR_STVAL, s5
	csrw	CSR_STVEC, s4
	ecall
1:	j	1b

	.section .bss.stacks, "aw", @nobits
	.balign	16
	.zero	4096
boot_stack_end:

	/* Ends where the page of the boot information begins. */
	.section .area, "aw", @nobits
	.globl	audit_area
	.type	audit_area, @object
audit_area:
	.zero	(8 << AREA_SHIFT) - 4096
	.size	audit_area, . - audit_area
