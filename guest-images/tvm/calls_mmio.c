// SPDX-License-Identifier: BSD-2-Clause
/* MMIO regions, and every way to load from and store to them. */
#include "calls.h"
#include "cove.h"
#include "csr.h"
#include "sbi.h"

#define REGISTER_HVIP	(DEVICE + 0xff0)
#define HVIP_VSEIP	(1 << 10)
#define PATTERN		0x8182838485868788
#define REGION		0x80200000UL

static long covg(unsigned long function, unsigned long gpa, unsigned long size)
{
	return sbi_call(COVE_EID_COVG, function, gpa, size, 0).error;
}

static long add(unsigned long gpa, unsigned long size)
{
	return covg(COVE_COVG_ADD_MMIO_REGION, gpa, size);
}

static long drop(unsigned long gpa, unsigned long size)
{
	return covg(COVE_COVG_REMOVE_MMIO_REGION, gpa, size);
}

void check_regions(void)
{
	check("add_mmio_region", add(DEVICE, 2 * PAGE), 0);
	check("MMIO region twice", add(DEVICE, 2 * PAGE),
	      COVE_ERR_INVALID_ADDRESS);
	check("MMIO region over the last page of one",
	      add(DEVICE + PAGE, PAGE), COVE_ERR_INVALID_ADDRESS);
	check("MMIO region over the first page of one",
	      add(DEVICE - PAGE, 2 * PAGE), COVE_ERR_INVALID_ADDRESS);
	check("MMIO region right behind one", add(DEVICE + 2 * PAGE, PAGE), 0);
	check("MMIO region right before one", add(DEVICE - PAGE, PAGE), 0);
	check("MMIO region in memory", add(REGION, PAGE),
	      COVE_ERR_INVALID_ADDRESS);
	check("MMIO region of nothing", add(0x20000000, 0),
	      COVE_ERR_INVALID_ADDRESS);
	check("MMIO region of half a page", add(0x20000000, 2048),
	      COVE_ERR_INVALID_ADDRESS);
	check("MMIO region from half a page on", add(0x20000800, PAGE),
	      COVE_ERR_INVALID_ADDRESS);
	check("MMIO region beyond memory", add(1UL << 50, PAGE),
	      COVE_ERR_INVALID_ADDRESS);
	check("remove_mmio_region", drop(DEVICE + 2 * PAGE, PAGE), 0);
	check("remove_mmio_region twice", drop(DEVICE + 2 * PAGE, PAGE),
	      COVE_ERR_INVALID_ADDRESS);
	check("remove_mmio_region of memory", drop(REGION, PAGE),
	      COVE_ERR_INVALID_ADDRESS);
}

/* A register that is neither a0 nor what a compressed instruction can name */
#define LOAD(op, at) ({							\
	register unsigned long value_ asm("s9");			\
	asm volatile(".option push\n.option norvc\n"			\
		     op " %0, 0(%1)\n.option pop"			\
		     : "=r"(value_) : "r"(at) : "memory");		\
	value_;								\
})

#define STORE(op, at, value) do {					\
	register unsigned long value_ asm("s9") = (value);		\
	asm volatile(".option push\n.option norvc\n"			\
		     op " %0, 0(%1)\n.option pop"			\
		     : : "r"(value_), "r"(at) : "memory");		\
} while (0)

#define SHORT_LOAD(op, at) ({						\
	register unsigned long value_ asm("a4");			\
	register unsigned long at_ asm("a5") = (at);			\
	asm volatile(op " %0, 0(%1)"					\
		     : "=r"(value_) : "r"(at_) : "memory");		\
	value_;								\
})

#define SHORT_STORE(op, at, value) do {					\
	register unsigned long value_ asm("a4") = (value);		\
	register unsigned long at_ asm("a5") = (at);			\
	asm volatile(op " %0, 0(%1)" : : "r"(value_), "r"(at_)		\
		     : "memory");					\
} while (0)

/* The stack pointer is the base for as long as no interrupt can come. */
#define STACK_LOAD(op, at) ({						\
	unsigned long value_;						\
	asm volatile("mv t0, sp\n\tmv sp, %1\n\t" op " s9, 0(sp)\n\t"	\
		     "mv sp, t0\n\tmv %0, s9"				\
		     : "=r"(value_) : "r"(at) : "t0", "s9", "memory");	\
	value_;								\
})

#define STACK_STORE(op, at, value)					\
	asm volatile("mv s9, %1\n\tmv t0, sp\n\tmv sp, %0\n\t"		\
		     op " s9, 0(sp)\n\tmv sp, t0"			\
		     : : "r"(at), "r"(value) : "t0", "s9", "memory")

static void check_loads(void)
{
	STORE("sd", DEVICE, PATTERN);
	check("ld", LOAD("ld", DEVICE), PATTERN);
	check("lb", LOAD("lb", DEVICE + 1), 0xffffffffffffff87);
	check("lbu", LOAD("lbu", DEVICE + 1), 0x87);
	check("lh", LOAD("lh", DEVICE + 2), 0xffffffffffff8586);
	check("lhu", LOAD("lhu", DEVICE + 2), 0x8586);
	check("lw", LOAD("lw", DEVICE + 4), 0xffffffff81828384);
	check("lwu", LOAD("lwu", DEVICE + 4), 0x81828384);
	STORE("sd", DEVICE + 8, 0x7172737475767778);
	check("lb of a positive", LOAD("lb", DEVICE + 9), 0x77);
	check("lh of a positive", LOAD("lh", DEVICE + 10), 0x7576);
	check("lw of a positive", LOAD("lw", DEVICE + 12), 0x71727374);
	asm volatile("lw zero, 0(%0)" : : "r"(DEVICE) : "memory");
}

static void check_stores(void)
{
	STORE("sd", DEVICE + 16, 0);
	STORE("sb", DEVICE + 17, PATTERN);
	check("sb", LOAD("ld", DEVICE + 16), 0x8800);
	STORE("sh", DEVICE + 18, PATTERN);
	check("sh", LOAD("ld", DEVICE + 16), 0x87888800);
	STORE("sw", DEVICE + 20, PATTERN);
	check("sw", LOAD("ld", DEVICE + 16), 0x8586878887888800);
	asm volatile("sd zero, 0(%0)" : : "r"(DEVICE + 16) : "memory");
	check("sd of x0", LOAD("ld", DEVICE + 16), 0);
	/* The last bytes of the region: there is nothing behind them. */
	STORE("sb", DEVICE + 2 * PAGE - 17, 0x5a);
	check("the second page", LOAD("lbu", DEVICE + 2 * PAGE - 17), 0x5a);
}

static void check_compressed(void)
{
	SHORT_STORE("c.sd", DEVICE + 24, PATTERN);
	check("c.ld", SHORT_LOAD("c.ld", DEVICE + 24), PATTERN);
	check("c.lw", SHORT_LOAD("c.lw", DEVICE + 28), 0xffffffff81828384);
	SHORT_STORE("c.sw", DEVICE + 24, 0x11223344);
	check("c.sw", LOAD("ld", DEVICE + 24), 0x8182838411223344);
	check("c.ldsp", STACK_LOAD("c.ldsp", DEVICE + 24), 0x8182838411223344);
	check("c.lwsp", STACK_LOAD("c.lwsp", DEVICE + 28), 0xffffffff81828384);
	STACK_STORE("c.sdsp", DEVICE + 24, PATTERN);
	check("c.sdsp", LOAD("ld", DEVICE + 24), PATTERN);
	STACK_STORE("c.swsp", DEVICE + 28, 0x11223344UL);
	check("c.swsp", LOAD("ld", DEVICE + 24), 0x1122334485868788);
}

void check_accesses(void)
{
	unsigned long before = counts[0].exceptions;

	check_loads();
	check_stores();
	check_compressed();
	check("exceptions of loads and stores", counts[0].exceptions, before);
}

#define SATP_SV39	(8UL << 60)
/* V, R, W, X, A, D: a leaf of 1 GiB for the supervisor */
#define GIGAPAGE	0xcf
#define GIB		(1UL << 30)

/* Device and memory where they are, and the code once more, 4 GiB higher. */
void check_paged_accesses(void)
{
	static uint64_t root[512] __attribute__((aligned(4096)));
	void (*high)(void) = check_loads;
	unsigned long before = counts[0].exceptions;

	root[0] = GIGAPAGE;
	root[2] = 2 * GIB >> 2 | GIGAPAGE;
	root[6] = 2 * GIB >> 2 | GIGAPAGE;
	csr_write("satp", SATP_SV39 | (unsigned long)root >> 12);
	asm volatile("sfence.vma" : : : "memory");
	check_accesses();
	high = (void (*)(void))((unsigned long)high + 4 * GIB);
	high();
	csr_write("satp", 0);
	asm volatile("sfence.vma" : : : "memory");
	check("exceptions behind a page table", counts[0].exceptions, before);
}

static void check_trapped(const char *name, unsigned long before,
			  unsigned long cause)
{
	check(name, counts[0].exceptions - before, 1);
	check(name, counts[0].cause, cause);
}

#define REFUSED(name, cause, code) do {					\
	unsigned long before_ = counts[0].exceptions;			\
	register unsigned long at_ asm("a5") = DEVICE;			\
	asm volatile(code : : "r"(at_) : "a4", "memory");		\
	check_trapped(name, before_, cause);				\
} while (0)

/* Not emulated: they end in the guest's own trap, and nothing has changed. */
void check_refused_accesses(void)
{
	STORE("sd", DEVICE, PATTERN);
	REFUSED("amoadd.w", 2, "amoadd.w a4, zero, (a5)");
	REFUSED("lr.w", 2, "lr.w a4, (a5)");
	REFUSED("fld", 2, ".word 0x0007b707");
	REFUSED("fsd", 2, ".word 0x00e7b027");
	REFUSED("c.fld", 2, ".half 0x2398");
	REFUSED("c.fsd", 2, ".half 0xa398");
	REFUSED("lw, misaligned", 4, "lw a4, 2(a5)");
	REFUSED("sd, misaligned", 6, "sd zero, 4(a5)");
	check("the device behind refused accesses", LOAD("ld", DEVICE), PATTERN);
}

static void raise_external(void)
{
	STORE("sd", REGISTER_HVIP, HVIP_VSEIP);
}

static long allow(unsigned long id)
{
	return covg(COVE_COVG_ALLOW_EXTERNAL_INTERRUPT, id, 0);
}

static long deny(unsigned long id)
{
	return covg(COVE_COVG_DENY_EXTERNAL_INTERRUPT, id, 0);
}

void check_interrupts(void)
{
	check("allow of interrupt 0", allow(0), COVE_ERR_INVALID_PARAM);
	check("allow beyond the last", allow(2048), COVE_ERR_INVALID_PARAM);
	check("deny beyond the last", deny(2048), COVE_ERR_INVALID_PARAM);
	raise_external();
	check("externals before any is allowed", counts[0].externals, 0);
	/* Still raised: it comes as soon as it may. */
	check("allow", allow(2047), 0);
	check("externals once allowed", counts[0].externals, 1);
	check("deny", deny(2047), 0);
	raise_external();
	check("externals once denied", counts[0].externals, 1);
	check("allow of all", allow(~0UL), 0);
	check("externals with all allowed", counts[0].externals, 2);
	check("deny of one", deny(5), 0);
	raise_external();
	check("externals with one denied", counts[0].externals, 3);
	check("deny of all", deny(~0UL), 0);
	raise_external();
	check("externals with all denied", counts[0].externals, 3);
	STORE("sd", REGISTER_HVIP, 0);
}
