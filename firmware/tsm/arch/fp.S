/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only place that touches FP registers: the rest of the TSM is built
 * without them, so what is in them is the host's or the guest's.
 */
#include "csr.h"

	.option	arch, +f, +d

	.macro	fp_registers op
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, \
		17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\op	f\n, (\n * 8)(a0)
	.endr
	.endm

	.text

	/* void fp_save(u64 fp[33]); sstatus.FS is not Off. */
	.globl	fp_save
fp_save:
	fp_registers fsd
	csrr	t0, CSR_FCSR
	sd	t0, 256(a0)
	ret

	/* void fp_restore(const u64 fp[33]); sstatus.FS is not Off. */
	.globl	fp_restore
fp_restore:
	fp_registers fld
	ld	t0, 256(a0)
	csrw	CSR_FCSR, t0
	ret
