// SPDX-License-Identifier: BSD-2-Clause
/*
 * V around a run of a vCPU. M-mode leaves the host's registers alive and keeps
 * only its sstatus.VS, so they are kept whether the host uses them or not: the
 * TSM cannot tell.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/vector.h"

/* Longer registers than this stay the host's alone. */
#define MAX_VLENB	(1024 / 8)
#define VTYPE_VILL	(1UL << 63)

struct vector_state {
	u64 vstart;
	u64 vtype;
	u64 vl;
	u64 vcsr;
	/* v0 to v31, as long as the hart has them */
	u8 registers[];
};

_Static_assert(offsetof(struct vector_state, vstart) == VECTOR_VSTART &&
	       offsetof(struct vector_state, vtype) == VECTOR_VTYPE &&
	       offsetof(struct vector_state, vl) == VECTOR_VL &&
	       offsetof(struct vector_state, vcsr) == VECTOR_VCSR &&
	       offsetof(struct vector_state, registers) == VECTOR_REGISTERS,
	       "vector.S finds them here");

void vector_save(struct vector_state *state);
void vector_restore(const struct vector_state *state);

/* Bytes of a register for guests, 0 if they get none; all harts are alike. */
static u64 vlenb;

/* The host's registers while a guest is loaded. */
static struct {
	u64 words[(VECTOR_REGISTERS + 32 * MAX_VLENB) / sizeof(u64)];
} host[COVE_MAX_HARTS];

void vector_probe(void)
{
	csr_set(CSR_SSTATUS, SSTATUS_VS_INITIAL);
	/* The length can be read only while V is on. */
	if (csr_read(CSR_SSTATUS) & SSTATUS_VS)
		vlenb = csr_read(CSR_VLENB);
	csr_clear(CSR_SSTATUS, SSTATUS_VS);
	if (vlenb > MAX_VLENB)
		vlenb = 0;
}

size_t arch_vector_size(void)
{
	return vlenb ? VECTOR_REGISTERS + 32 * vlenb : 0;
}

static struct vector_state *host_state(void)
{
	return (struct vector_state *)host[arch_hart()].words;
}

void vector_init(void *guest)
{
	struct vector_state *state = guest;

	if (!vlenb)
		return;
	memset(state, 0, arch_vector_size());
	/* As after a reset: nothing works before the guest has chosen a type. */
	state->vtype = VTYPE_VILL;
}

void vector_load(const void *guest)
{
	if (!vlenb)
		return;
	csr_set(CSR_SSTATUS, SSTATUS_VS);
	vector_save(host_state());
	vector_restore(guest);
}

void vector_put(void *guest)
{
	if (!vlenb)
		return;
	/*
	 * Saved though sstatus.VS may say Clean: the guest's writes of CSRs as
	 * vcsr and vstart make on some harts only its own vsstatus.VS Dirty,
	 * which it can make Clean again itself, and a loss would be silent.
	 */
	vector_save(guest);
	vector_restore(host_state());
	csr_clear(CSR_SSTATUS, SSTATUS_VS);
}
