/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the U-mode task and out of it. The TSM runs with satp = 0, the task
 * with tables that have nothing of the TSM but one page of code: the page that
 * writes satp lies at its physical address in both worlds.
 */
#include "csr.h"
#include "registers.inc"
#include "task.h"

	.text

	/*
	 * void task_switch(struct task_context *context, u64 satp)
	 * sstatus, hstatus and sepc are set.
	 */
	.globl	task_switch
task_switch:
	addi	sp, sp, -112
	callee_saved sd
	sd	sp, GUEST_TSM_SP(a0)
	sd	tp, GUEST_TSM_TP(a0)
	sd	a0, TASK_SELF(a0)
	la	t0, task_trap
	csrw	CSR_STVEC, t0
	la	t0, task_enter
	jr	t0

	/* a0 = struct task_context, t0 = a0 of the task; satp = 0 again */
task_left:
	sd	t0, GUEST_GPR(10)(a0)
	csrr	t0, CSR_SEPC
	sd	t0, GUEST_SEPC(a0)
	la	t0, tsm_trap
	csrw	CSR_STVEC, t0
	ld	sp, GUEST_TSM_SP(a0)
	ld	tp, GUEST_TSM_TP(a0)
	callee_saved ld
	addi	sp, sp, 112
	ret

	.section .trampoline, "ax"

	.balign	4
task_enter:
	csrw	CSR_SATP, a1
	/*
	 * Behind the write of satp: nothing that this hart has translated for
	 * another task, or before this one's memory was its own, may be used.
	 */
	sfence.vma
	li	a0, TASK_CONTEXT
	csrw	CSR_SSCRATCH, a0
	guest_gprs ld, a0
	ld	sp, GUEST_GPR(2)(a0)
	ld	tp, GUEST_GPR(4)(a0)
	ld	a0, GUEST_GPR(10)(a0)
	sret

	.balign	4
task_trap:
	csrrw	a0, CSR_SSCRATCH, a0
	guest_gprs sd, a0
	sd	sp, GUEST_GPR(2)(a0)
	sd	tp, GUEST_GPR(4)(a0)
	csrrw	t0, CSR_SSCRATCH, zero
	ld	a0, TASK_SELF(a0)
	csrw	CSR_SATP, zero
	/* The task's translations must not outlive its turn. */
	sfence.vma
	la	t1, task_left
	jr	t1
