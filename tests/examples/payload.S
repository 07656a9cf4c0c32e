/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A payload: S-mode code that starts with a0 = hart id, a1 = device tree, prints
 * by SBI's debug console and ends by SBI's system reset. It runs in a TVM and in
 * the host's place.
 *
 *	riscv64-linux-gnu-gcc -nostdlib -static -Wl,-Ttext=0x80200000,--build-id=none \
 *		-o payload.elf payload.S
 *	riscv64-linux-gnu-objcopy -O binary payload.elf payload.bin
 */
#define EID_DBCN		0x4442434e
#define DBCN_WRITE_BYTE		2
#define EID_SRST		0x53525354
/* 0xd00dfeed in the order of bytes that it has in memory */
#define FDT_MAGIC		0xedfe0dd0

	.globl	_start
_start:
	mv	s0, a0
	mv	s1, a1
	la	a0, hello
	call	print
	addi	a0, s0, '0'
	call	print_byte
	la	a0, found
	lwu	t0, (s1)
	li	t1, FDT_MAGIC
	beq	t0, t1, 1f
	la	a0, lost
1:	call	print
	li	a0, 0
	li	a1, 0
	li	a6, 0
	li	a7, EID_SRST
	ecall
2:	j	2b

print:
	mv	s2, a0
	mv	s3, ra
1:	lbu	a0, (s2)
	beqz	a0, 2f
	call	print_byte
	addi	s2, s2, 1
	j	1b
2:	jr	s3

print_byte:
	li	a6, DBCN_WRITE_BYTE
	li	a7, EID_DBCN
	ecall
	ret

	.data
hello:	.asciz	"payload: hart "
found:	.asciz	", device tree\n"
lost:	.asciz	", no device tree\n"
