// SPDX-License-Identifier: BSD-2-Clause
/*
 * The shared memory. The TSM writes the minimum that an exit needs, and reads
 * a0 and a1 only when it owes the guest an answer from the host.
 */
#include "arch/csr.h"
#include "run/run.h"

#define A0	10
#define A1	11

static void put_csr(struct nacl *nacl, unsigned int number, u64 value)
{
	nacl->csr[(number & 0xc00) >> 2 | (number & 0xff)] = value;
}

void nacl_put_timers(struct nacl *nacl, const struct run *run)
{
	put_csr(nacl, CSR_VSTIMECMP, run->vcpu->context.vstimecmp);
	put_csr(nacl, CSR_VSIE, run->vcpu->context.vsie);
	put_csr(nacl, CSR_HTIMEDELTA, run->tvm->timedelta);
}

void nacl_put_fault(struct nacl *nacl, u64 gpa)
{
	put_csr(nacl, CSR_HTVAL, gpa >> PAGE_SHIFT << (PAGE_SHIFT - 2));
	put_csr(nacl, CSR_HTINST, 0);
}

void nacl_put_ecall(struct nacl *nacl, const struct guest_context *guest,
		    unsigned int mask)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		nacl->gpr[A0 + i] = mask >> i & 1 ? guest->gpr[A0 + i] : 0;
}

void nacl_take_reply(struct nacl *nacl, struct vcpu *vcpu)
{
	struct guest_context *guest = &vcpu->context;

	if (vcpu->reply != REPLY_NONE)
		guest->gpr[A0] = nacl->gpr[A0];
	if (vcpu->reply == REPLY_A0_A1)
		guest->gpr[A1] = nacl->gpr[A1];
	vcpu->reply = REPLY_NONE;
}
