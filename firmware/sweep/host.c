/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's registers around a call, its console and its clock. */
#include "sweep.h"

#define SDID		1UL
#define A(n)		(10 + (n))
#define X_SP		2
#define X_T0		5
#define SIE_STIE	(1UL << IRQ_TIMER)

/* CSR, and what the host has in it during the call; sstatus and sie apart */
#define CSRS(CSR)						\
	CSR("sepc",		0x5a5a5a5a5a5a5a50UL)		\
	CSR("scause",		0x15UL)				\
	CSR("stval",		0xa5a5a5a5a5a5a5a5UL)		\
	CSR("scounteren",	7UL)				\
	CSR("vsscratch",	0x1234567812345678UL)		\
	CSR("vsepc",		0x2345678923456788UL)		\
	CSR("vstval",		0x3456789a3456789aUL)		\
	CSR("htimedelta",	0x456789ab456789abUL)		\
	CSR("hedeleg",		0xb100UL)			\
	CSR("hideleg",		0x444UL)

/* The first three are what a trap of the host's own writes too. */
#define WRITTEN_BY_TRAPS	7UL

static u64 kept_sie;

/* The compiler makes calls of these where structures are set or copied. */
void *memset(void *to, int value, size_t count)
{
	unsigned char *byte = to;

	while (count--)
		*byte++ = value;
	return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
	unsigned char *target = to;
	const unsigned char *source = from;

	while (count--)
		*target++ = *source++;
	return to;
}

struct sbi_answer sbi4(u64 eid, u64 fid, u64 arg0, u64 arg1, u64 arg2, u64 arg3)
{
	register u64 a0 __asm__("a0") = arg0;
	register u64 a1 __asm__("a1") = arg1;
	register u64 a2 __asm__("a2") = arg2;
	register u64 a3 __asm__("a3") = arg3;
	register u64 a4 __asm__("a4") = 0;
	register u64 a6 __asm__("a6") = fid;
	register u64 a7 __asm__("a7") = eid;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
			 : "memory");
	return (struct sbi_answer){ .error = a0, .value = a1 };
}

struct sbi_answer sbi(u64 eid, u64 fid, u64 arg0, u64 arg1, u64 arg2)
{
	return sbi4(eid, fid, arg0, arg1, arg2, 0);
}

struct sbi_answer covh(u64 fid, const u64 args[6])
{
	register u64 a0 __asm__("a0") = args[0];
	register u64 a1 __asm__("a1") = args[1];
	register u64 a2 __asm__("a2") = args[2];
	register u64 a3 __asm__("a3") = args[3];
	register u64 a4 __asm__("a4") = args[4];
	register u64 a5 __asm__("a5") = args[5];
	register u64 a6 __asm__("a6") = SDID << COVE_A6_SDID_SHIFT | fid;
	register u64 a7 __asm__("a7") = COVE_EID_COVH;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
			 : "memory");
	return (struct sbi_answer){ .error = a0, .value = a1 };
}

void say(const char *text)
{
	u64 length = 0;

	while (text[length])
		length++;
	sbi(COVE_EID_DBCN, COVE_DBCN_CONSOLE_WRITE, length, (u64)text, 0);
}

void __attribute__((noreturn)) off(void)
{
	sbi(COVE_EID_SRST, COVE_SRST_SYSTEM_RESET, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}

static void say_number(const char *name, u64 value)
{
	char digits[19] = "0x";
	int i;

	for (i = 0; i < 16; i++)
		digits[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	digits[18] = '\0';
	say(name);
	say(digits);
}

void need(const char *what, s64 error)
{
	if (!error)
		return;
	say("sweep: refused: ");
	say(what);
	say_number(" error=", error);
	say("\n");
	off();
}

void __attribute__((noreturn)) sweep_trapped(u64 scause, u64 sepc, u64 stval)
{
	say_number("sweep: trap: scause=", scause);
	say_number(" sepc=", sepc);
	say_number(" stval=", stval);
	say("\n");
	off();
}

void frame_fill(struct frame *frame, u64 fid, const u64 args[6])
{
	unsigned int i;

	memset(frame, 0, sizeof(*frame));
	for (i = 1; i < 32; i++)
		frame->in[i] = 0x1011121314151600UL * i + i;
	for (i = 0; args && i < 6; i++)
		frame->in[A(i)] = args[i];
	frame->in[A(6)] = SDID << COVE_A6_SDID_SHIFT | fid;
	frame->in[A(7)] = COVE_EID_COVH;
	frame->in[X_SP] = (u64)frame;
}

u64 wrong_gprs(const struct frame *frame)
{
	u64 wrong = 0, expected;
	unsigned int i;

	for (i = 1; i < 32; i++) {
		expected = i == X_T0 ? frame->call : frame->in[i];
		/* a0 and a1 are the answer. */
		if (i != A(0) && i != A(1) && frame->out[i] != expected)
			wrong |= 1UL << i;
	}
	return wrong;
}

void csrs_fill(void)
{
#define FILL(name, value)	csr_write(name, value);
	CSRS(FILL)
#undef FILL
	kept_sie = csr_read("sie");
}

/* Bits: the CSRs of the list in its order, then sie, sstatus */
u64 wrong_csrs(const struct frame *frame, enum operation operation)
{
	u64 wrong = 0, bit = 1;

#define COMPARE(name, value)				\
	wrong |= csr_read(name) != (value) ? bit : 0;	\
	bit <<= 1;
	CSRS(COMPARE)
#undef COMPARE
	wrong |= csr_read("sie") != kept_sie ? bit : 0;
	bit <<= 1;
	wrong |= (csr_read("sstatus") & SSTATUS_SIE) != frame->sstatus ? bit : 0;
	if (frame->taken)
		wrong &= ~WRITTEN_BY_TRAPS;
	/* A run writes scause and stval: its answer. */
	if (operation == OP_SPIN || operation == OP_EXIT)
		wrong &= ~6UL;
	return wrong;
}

void sleep_until(u64 time)
{
	u64 sie = csr_read("sie");

	csr_write(STIMECMP, time);
	csr_set("sie", SIE_STIE);
	while (csr_read("time") < time)
		__asm__ volatile("wfi");
	csr_write(STIMECMP, NEVER);
	csr_write("sie", sie);
}
