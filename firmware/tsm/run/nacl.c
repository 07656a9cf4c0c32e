// SPDX-License-Identifier: BSD-2-Clause
/*
 * The shared memory. The TSM writes the minimum that an exit needs, and reads
 * a0 and a1 only when it owes the guest an answer from the host. The host may
 * change any word at any time, so each is read once.
 */
#include "arch/csr.h"
#include "run/run.h"

#define A0	10
#define A1	11
#define A2	12
#define A6	16
#define A7	17

static u64 *csr_slot(struct nacl *nacl, unsigned int number)
{
	return &nacl->csr[(number & 0xc00) >> 2 | (number & 0xff)];
}

static void put_csr(struct nacl *nacl, unsigned int number, u64 value)
{
	*csr_slot(nacl, number) = value;
}

static u64 read_once(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
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

void nacl_put_access(struct nacl *nacl, u64 gpa, u32 instruction, u64 value)
{
	put_csr(nacl, CSR_HTVAL, gpa >> 2);
	put_csr(nacl, CSR_HTINST, instruction);
	/* One register, and nothing of an exit before. */
	nacl_put_call(nacl, 0, 0, value);
}

void nacl_put_ecall(struct nacl *nacl, const struct guest_context *guest,
		    unsigned int mask)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		nacl->gpr[A0 + i] = mask >> i & 1 ? guest->gpr[A0 + i] : 0;
}

void nacl_put_call(struct nacl *nacl, u64 eid, u64 function, u64 arg)
{
	memset(&nacl->gpr[A0], 0, 8 * sizeof(nacl->gpr[0]));
	nacl->gpr[A0] = arg;
	nacl->gpr[A6] = function;
	nacl->gpr[A7] = eid;
}

void nacl_put_console(struct nacl *nacl, const void *bytes, u64 count)
{
	memcpy(nacl->console, bytes, count);
}

void nacl_put_carried(struct nacl *nacl, u64 count)
{
	nacl->gpr[A0] = count;
	/* No address: the bytes are here. */
	nacl->gpr[A1] = ~0UL;
	nacl->gpr[A2] = ~0UL;
}

void nacl_take_console(struct nacl *nacl, void *bytes, u64 count)
{
	memcpy(bytes, nacl->console, count);
}

u64 nacl_see_value(struct nacl *nacl)
{
	return read_once(&nacl->gpr[A0]);
}

u64 nacl_take_value(struct nacl *nacl)
{
	u64 value = nacl_see_value(nacl);

	nacl->gpr[A0] = 0;
	return value;
}

u64 nacl_take_count(struct nacl *nacl)
{
	return read_once(&nacl->gpr[A1]);
}

bool nacl_external_interrupt(struct nacl *nacl)
{
	return read_once(csr_slot(nacl, CSR_HVIP)) & HVIP_VSEIP;
}
