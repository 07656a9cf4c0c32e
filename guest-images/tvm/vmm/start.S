/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a guest of QEMU's begins under KVM, in front of its kernel. KVM resets a
 * vCPU with scounteren = 7, and QEMU (10.0) then clears it in the first one. The
 * register is the supervisor's, and Linux sets it only in its PMU driver, which
 * the small kernel does not have: its programs could not read `time`.
 *
 * a0 (hart id) and a1 (device tree) stay as they are. QEMU puts the kernel at
 * KERNEL_BASE; harness/build/vmm_guest.py says where that is.
 */
	.section .text
	.globl	_start
_start:
	csrwi	scounteren, 7
	li	t0, KERNEL_BASE
	jr	t0
