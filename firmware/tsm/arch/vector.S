/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only place that touches V registers: the rest of the TSM is built
 * without them, so what is in them is the host's or the guest's.
 */
#include "csr.h"

	.option	arch, +v

	/* Do op for all registers, eight at a time, from a0 on. */
	.macro	vector_registers op
	csrr	t0, CSR_VLENB
	slli	t0, t0, 3
	\op	v0, (a0)
	add	a0, a0, t0
	\op	v8, (a0)
	add	a0, a0, t0
	\op	v16, (a0)
	add	a0, a0, t0
	\op	v24, (a0)
	.endm

	.text

	/* void vector_save(struct vector_state *state); sstatus.VS is not Off. */
	.globl	vector_save
vector_save:
	csrr	t0, CSR_VSTART
	sd	t0, VECTOR_VSTART(a0)
	csrr	t0, CSR_VTYPE
	sd	t0, VECTOR_VTYPE(a0)
	csrr	t0, CSR_VL
	sd	t0, VECTOR_VL(a0)
	csrr	t0, CSR_VCSR
	sd	t0, VECTOR_VCSR(a0)
	/* Otherwise the stores would begin in the middle. */
	csrw	CSR_VSTART, zero
	addi	a0, a0, VECTOR_REGISTERS
	vector_registers vs8r.v
	ret

	/* void vector_restore(const struct vector_state *state); likewise */
	.globl	vector_restore
vector_restore:
	mv	t1, a0
	csrw	CSR_VSTART, zero
	addi	a0, a0, VECTOR_REGISTERS
	vector_registers vl8re8.v
	/* vl and vtype can be written only together; vill comes back as it was. */
	ld	t0, VECTOR_VL(t1)
	ld	t2, VECTOR_VTYPE(t1)
	vsetvl	zero, t0, t2
	ld	t0, VECTOR_VCSR(t1)
	csrw	CSR_VCSR, t0
	/* Last, because every vector instruction sets it to 0. */
	ld	t0, VECTOR_VSTART(t1)
	csrw	CSR_VSTART, t0
	ret
