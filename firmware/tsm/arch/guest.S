/* SPDX-License-Identifier: BSD-2-Clause */
/* The last instructions before a guest runs and the first after its trap. */
#include "csr.h"
#include "registers.inc"

	.text

	/*
	 * void guest_switch(struct guest_context *guest)
	 * hstatus, sstatus and the VS CSRs are set. sscratch holds the context
	 * while the guest has all other registers.
	 */
	.globl	guest_switch
guest_switch:
	addi	sp, sp, -112
	callee_saved sd
	sd	sp, GUEST_TSM_SP(a0)
	sd	tp, GUEST_TSM_TP(a0)
	csrw	CSR_SSCRATCH, a0
	ld	t0, GUEST_SEPC(a0)
	csrw	CSR_SEPC, t0
	la	t0, guest_trap
	csrw	CSR_STVEC, t0
	guest_gprs ld, a0
	ld	sp, GUEST_GPR(2)(a0)
	ld	tp, GUEST_GPR(4)(a0)
	ld	a0, GUEST_GPR(10)(a0)
	sret

	.balign	4
guest_trap:
	csrrw	a0, CSR_SSCRATCH, a0
	guest_gprs sd, a0
	sd	sp, GUEST_GPR(2)(a0)
	sd	tp, GUEST_GPR(4)(a0)
	ld	sp, GUEST_TSM_SP(a0)
	ld	tp, GUEST_TSM_TP(a0)
	csrrw	t0, CSR_SSCRATCH, zero
	sd	t0, GUEST_GPR(10)(a0)
	csrr	t0, CSR_SEPC
	sd	t0, GUEST_SEPC(a0)
	la	t0, tsm_trap
	csrw	CSR_STVEC, t0
	callee_saved ld
	addi	sp, sp, 112
	ret

	/*
	 * long guest_fetch_half(u64 address)
	 * 16 bits of the guest's code, or -1 where the guest could not fetch
	 * them: the load then traps to its own end.
	 */
	.globl	guest_fetch_half
guest_fetch_half:
	la	t0, fetch_trap
	csrw	CSR_STVEC, t0
	/* hlvx.hu a0, (a0) */
	.insn	r 0x73, 4, 0x32, a0, a0, x3
	j	fetch_end

	.balign	4
fetch_trap:
	li	a0, -1
fetch_end:
	la	t0, tsm_trap
	csrw	CSR_STVEC, t0
	ret
