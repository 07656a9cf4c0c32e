// SPDX-License-Identifier: BSD-2-Clause
/* The vector unit of a guest. Everything else is compiled without vectors. */
#include "csr.h"
#include "vector.h"

#define SSTATUS_VS	(3 << 9)

#define CSR_VSTART	"0x008"
#define CSR_VCSR	"0x00f"
#define CSR_VL		"0xc20"
#define CSR_VTYPE	"0xc21"
#define CSR_VLENB	"0xc22"

unsigned long vector_on(void)
{
	unsigned long sstatus;

	asm volatile("csrs sstatus, %0" : : "r"(SSTATUS_VS));
	asm volatile("csrr %0, sstatus" : "=r"(sstatus));
	return sstatus & SSTATUS_VS ? csr_read(CSR_VLENB) : 0;
}

#define EIGHT(op, n)							\
	asm volatile(".option push\n.option arch, +v\n"			\
		     op " v" #n ", (%0)\n.option pop"			\
		     : : "r"(bytes + n * vlenb) : "memory")

static void load_registers(const uint8_t *bytes, unsigned long vlenb)
{
	EIGHT("vl8re8.v", 0);
	EIGHT("vl8re8.v", 8);
	EIGHT("vl8re8.v", 16);
	EIGHT("vl8re8.v", 24);
}

static void store_registers(uint8_t *bytes, unsigned long vlenb)
{
	EIGHT("vs8r.v", 0);
	EIGHT("vs8r.v", 8);
	EIGHT("vs8r.v", 16);
	EIGHT("vs8r.v", 24);
}

static void set_type(unsigned long vl, unsigned long vtype)
{
	asm volatile(".option push\n.option arch, +v\n"
		     "vsetvl zero, %0, %1\n.option pop"
		     : : "r"(vl), "r"(vtype));
}

void vector_load(const struct vector *v, unsigned long vlenb)
{
	load_registers(v->bytes, vlenb);
	set_type(v->vl, v->vtype);
	csr_write(CSR_VCSR, v->vcsr);
	csr_write(CSR_VSTART, v->vstart);
}

void vector_store(struct vector *v, unsigned long vlenb)
{
	v->vl = csr_read(CSR_VL);
	v->vtype = csr_read(CSR_VTYPE);
	v->vcsr = csr_read(CSR_VCSR);
	v->vstart = csr_read(CSR_VSTART);
	/* Stores would begin there. */
	csr_write(CSR_VSTART, 0);
	store_registers(v->bytes, vlenb);
}

void vector_fill(struct vector *v, unsigned long vlenb, unsigned long salt)
{
	for (unsigned long i = 0; i < VECTOR_REGISTERS * vlenb; i++)
		v->bytes[i] = salt + i + i / 251;
	v->vl = 1 + salt % vlenb;
	/* e8, m1, and two bits for tail and mask */
	v->vtype = (salt & 3) << 6;
	v->vcsr = salt & 7;
	v->vstart = salt % v->vl;
}

int vector_same(const struct vector *a, const struct vector *b,
		unsigned long vlenb)
{
	for (unsigned long i = 0; i < VECTOR_REGISTERS * vlenb; i++)
		if (a->bytes[i] != b->bytes[i])
			return 0;
	return a->vl == b->vl && a->vtype == b->vtype && a->vcsr == b->vcsr &&
	       a->vstart == b->vstart;
}

void vector_csrs_write(unsigned long vcsr, unsigned long vstart)
{
	csr_write(CSR_VCSR, vcsr);
	csr_write(CSR_VSTART, vstart);
}

int vector_csrs_are(unsigned long vcsr, unsigned long vstart)
{
	return csr_read(CSR_VCSR) == vcsr && csr_read(CSR_VSTART) == vstart;
}

unsigned long vector_type(void)
{
	return csr_read(CSR_VTYPE);
}

unsigned long vector_length(void)
{
	return csr_read(CSR_VL);
}
