// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest whose vector registers must survive every exit, and vl, vtype, vcsr
 * and vstart with them.
 *
 * Before each of 50 console calls all 32 registers and the CSRs get values of
 * that round; after it, they are compared bit by bit. The library is compiled
 * without vectors: nothing but the TSM or the host can change them in between.
 */
#include "sbi.h"

#define EXITS		50
#define REGISTERS	32
#define MAX_BYTES	(REGISTERS * 128)
#define SSTATUS_VS	(3 << 9)

#define CSR_VSTART	"0x008"
#define CSR_VCSR	"0x00f"
#define CSR_VL		"0xc20"
#define CSR_VTYPE	"0xc21"
#define CSR_VLENB	"0xc22"

#define csr_read(number) ({						\
	unsigned long value_;						\
	asm volatile("csrr %0, " number : "=r"(value_));		\
	value_;								\
})

#define csr_write(number, value)					\
	asm volatile("csrw " number ", %0" : : "r"((unsigned long)(value)))

struct vector {
	unsigned long vl, vtype, vcsr, vstart;
	uint8_t bytes[MAX_BYTES];
};

/* Turn the unit on; 0 if the guest has none. */
static unsigned long vector_on(void)
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

static void load(const struct vector *v, unsigned long vlenb)
{
	load_registers(v->bytes, vlenb);
	set_type(v->vl, v->vtype);
	csr_write(CSR_VCSR, v->vcsr);
	csr_write(CSR_VSTART, v->vstart);
}

static void store(struct vector *v, unsigned long vlenb)
{
	v->vl = csr_read(CSR_VL);
	v->vtype = csr_read(CSR_VTYPE);
	v->vcsr = csr_read(CSR_VCSR);
	v->vstart = csr_read(CSR_VSTART);
	/* Stores would begin there. */
	csr_write(CSR_VSTART, 0);
	store_registers(v->bytes, vlenb);
}

static void fill(struct vector *v, unsigned long vlenb, unsigned long salt)
{
	for (unsigned long i = 0; i < REGISTERS * vlenb; i++)
		v->bytes[i] = salt + i + i / 251;
	v->vl = 1 + salt % vlenb;
	/* e8, m1, and two bits for tail and mask */
	v->vtype = (salt & 3) << 6;
	v->vcsr = salt & 7;
	v->vstart = salt % v->vl;
}

static int same(const struct vector *a, const struct vector *b,
		unsigned long vlenb)
{
	for (unsigned long i = 0; i < REGISTERS * vlenb; i++)
		if (a->bytes[i] != b->bytes[i])
			return 0;
	return a->vl == b->vl && a->vtype == b->vtype && a->vcsr == b->vcsr &&
	       a->vstart == b->vstart;
}

static int round_trip(unsigned long vlenb, unsigned long salt)
{
	static struct vector wanted, found;

	fill(&wanted, vlenb, salt);
	load(&wanted, vlenb);
	print(".");
	store(&found, vlenb);
	return same(&wanted, &found, vlenb);
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	unsigned long vlenb = vector_on();
	int good = 1;

	(void)vcpu_id;
	if (!vlenb) {
		print("vec: none\n");
		return;
	}
	/* A register that nobody has written holds nothing of anybody. */
	if ((long)csr_read(CSR_VTYPE) >= 0 || csr_read(CSR_VL))
		good = 0;
	for (int i = 0; i < EXITS; i++)
		good &= round_trip(vlenb, arg + i);
	print("\nvec: vlen=");
	print_decimal(vlenb * 8);
	print(good ? "\nvec: ok\n" : "\nvec: bad\n");
}
