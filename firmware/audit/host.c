// SPDX-License-Identifier: BSD-2-Clause
/*
 * The host's side of the audit: ask the hart for every CSR it has, fill them
 * all, call the TSM, and keep what is there afterwards.
 */
#include "audit.h"

#define EID_DBCN	0x4442434e
#define EID_HSM		0x48534d
#define EID_SRST	0x53525354
#define EID_FWFT	0x46574654
#define EID_PMU		0x504d55
#define EID_SSE		0x535345
#define PMU_CONFIG	2
#define PMU_CLEAR_START	6
#define PMU_CYCLES	1
/* Those that can be programmed */
#define PMU_COUNTERS	0xfffffff8
#define SSE_REGISTER	2
#define SSE_ENABLE	4
#define SSE_PMU_LOCAL	0x10000
#define FWFT_MISALIGNED	0
#define FWFT_SHADOW_STACK	2
#define FWFT_ADUE	4
#define HSM_START	0
#define HSM_STOP	1
#define HSM_STATUS	2
#define HSM_STOPPED	1
#define SDID		1UL

struct host_frame {
	u64 in[32];
	u64 out[32];
	u64 saved[32];
};

/** Errors of the calls, but `counter` is the CSR number of a counter or 0 */
struct settings {
	u64 adue;
	u64 misaligned;
	u64 set_up;
	u64 counter;
	u64 sse;
	u64 shadow_stack;
	u64 reserved[2];
};

struct sbi_ret {
	u64 error;
	u64 value;
};

/** Written by the harness into the image before it is loaded */
struct plan audit_plan __attribute__((section(".data.plan"), aligned(4096)));

u8 audit_probe[AUDIT_HARTS][AUDIT_CSR_NUMBERS];
struct snapshot audit_before[AUDIT_HARTS][AUDITED_CALLS];
struct snapshot audit_after[AUDIT_HARTS][AUDITED_CALLS];
/** By hart: how the host's own settings and the set-up call went */
struct settings audit_settings[AUDIT_HARTS];
/** Written by the harness once a death of the TSM is what it expects */
/* In the image, so that a run without a dialogue can have it set from the start. */
volatile u64 audit_go __attribute__((section(".data")));

static struct host_frame frame;
static u64 page_table[512] __attribute__((aligned(4096)));
static volatile u64 finished;
static u64 current;

void host_teecall(struct host_frame *frame);
void second_entry(void);
void sse_handler(void);
void host_main(u64 hart) __attribute__((noreturn));
void second_main(u64 hart) __attribute__((noreturn));
void host_died(void) __attribute__((noreturn));

static struct sbi_ret sbi(u64 eid, u64 fid, u64 arg0, u64 arg1, u64 arg2)
{
	register u64 a0 __asm__("a0") = arg0;
	register u64 a1 __asm__("a1") = arg1;
	register u64 a2 __asm__("a2") = arg2;
	register u64 a6 __asm__("a6") = fid;
	register u64 a7 __asm__("a7") = eid;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6),
			 "r"(a7) : "memory");
	return (struct sbi_ret){ a0, a1 };
}

static void say(const char *text)
{
	u64 length = 0;

	while (text[length])
		length++;
	sbi(EID_DBCN, 0, length, (u64)text, 0);
}

static void say_number(const char *text, u64 number)
{
	static char digits[20];
	int i;

	say(text);
	for (i = 0; i < 16; i++)
		digits[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
	say(digits);
}

static void __attribute__((noreturn)) power_off(void)
{
	sbi(EID_SRST, 0, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}

void host_died(void)
{
	u64 cause = csr_read(CSR_SCAUSE), pc = csr_read(CSR_SEPC);

	csr_write(CSR_SATP, 0);
	say_number("\naudit: host trapped: scause=", cause);
	say_number(" sepc=", pc);
	say_number(" csr=", current);
	say("\n");
	power_off();
}

/** Reading has no side effect, also of the interrupt CSRs (stopei). */
static void probe(u8 *answers)
{
	u64 number;

	enable_fp_vector();
	for (number = 0; number < AUDIT_CSR_NUMBERS; number++)
		answers[number] = !csr_read_number(number).trapped;
}

/**
 * M-mode's registers that the host changes through FWFT: the TSM must not
 * notice. What is refused is not there on this hart.
 */
static u64 toggle(u64 feature)
{
	struct sbi_ret got = sbi(EID_FWFT, 1, feature, 0, 0);

	if (got.error)
		return got.error;
	return sbi(EID_FWFT, 0, feature, !got.value, 0).error;
}

/** Start a programmable counter; @return its CSR, 0 if there is none */
static u64 start_counter(void)
{
	register u64 a0 __asm__("a0") = 0;
	register u64 a1 __asm__("a1") = PMU_COUNTERS;
	register u64 a2 __asm__("a2") = PMU_CLEAR_START;
	register u64 a3 __asm__("a3") = PMU_CYCLES;
	register u64 a4 __asm__("a4") = 0;
	register u64 a6 __asm__("a6") = PMU_CONFIG;
	register u64 a7 __asm__("a7") = EID_PMU;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3),
			 "r"(a4), "r"(a6), "r"(a7) : "memory");
	return a0 || a1 < 3 ? 0 : 0xc00 + a1;
}

static void change_settings(struct settings *settings)
{
	settings->adue = toggle(FWFT_ADUE);
	settings->misaligned = toggle(FWFT_MISALIGNED);
	settings->shadow_stack = toggle(FWFT_SHADOW_STACK);
	settings->counter = start_counter();
}

/** With SSE for LCOFI M-mode takes that interrupt back from S-mode. */
static u64 take_lcofi(void)
{
	u64 error = sbi(EID_SSE, SSE_REGISTER, SSE_PMU_LOCAL,
			(u64)sse_handler, 0).error;

	if (error)
		return error;
	return sbi(EID_SSE, SSE_ENABLE, SSE_PMU_LOCAL, 0, 0).error;
}

static void set_call(u64 call)
{
	frame.in[16] = SDID << COVE_A6_SDID_SHIFT | call;
	frame.in[17] = COVE_EID_COVH;
}

static void set_up(const u8 *answers, struct settings *settings)
{
	frame.in[10] = (u64)&audit_plan;
	frame.in[11] = (u64)answers;
	frame.in[12] = settings->counter;
	set_call(CALL_SETUP);
	host_teecall(&frame);
	settings->set_up = frame.out[10];
}

static void copy(u64 *to, const u64 *from, u64 words)
{
	while (words--)
		*to++ = *from++;
}

static void audit_call(u64 hart, u64 call)
{
	struct snapshot *before = &audit_before[hart][call - CALL_FILL];
	struct snapshot *after = &audit_after[hart][call - CALL_FILL];
	const u8 *answers = audit_probe[hart];
	u64 seed = 0x486f737400000000 | hart << 60 | call << 56;
	u64 have, i;

	have = enable_fp_vector();
	fill_fp_vector(have, seed);
	save_fp_vector(before, have);
	for (i = 0; i < 32; i++)
		frame.in[i] = seed | 0x4700 | i;
	frame.in[0] = 0;
	frame.in[2] = (u64)&frame;
	set_call(call);
	copy(before->gpr, frame.in, 32);
	make_records(answers);
	fill_csrs(&audit_plan, answers, PLAN_HOST_WRITES, page_table, &current);
	dump_csrs(&audit_plan, answers, 0, before->csr, &current);
	sample_counter(audit_settings[hart].counter, before->counter);
	before->records = count_records(answers);
	before->valid = 1;

	host_teecall(&frame);

	dump_csrs(&audit_plan, answers, 0, after->csr, &current);
	after->records = count_records(answers);
	enable_fp_vector();
	save_fp_vector(after, have);
	copy(after->gpr, frame.out, 32);
	after->valid = 1;
	csr_write(CSR_SATP, 0);
}

static void audit_hart(u64 hart)
{
	struct settings *settings = &audit_settings[hart];

	change_settings(settings);
	probe(audit_probe[hart]);
	set_up(audit_probe[hart], settings);
	audit_call(hart, CALL_FILL);
	audit_call(hart, CALL_GUEST);
	settings->sse = take_lcofi();
	audit_call(hart, CALL_SETTINGS);
}

void second_main(u64 hart)
{
	audit_hart(hart);
	finished = 1;
	sbi(EID_HSM, HSM_STOP, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}

static void audit_other(u64 hart)
{
	struct sbi_ret status = sbi(EID_HSM, HSM_STATUS, hart, 0, 0);

	if (status.error || status.value != HSM_STOPPED)
		return;
	finished = 0;
	if (sbi(EID_HSM, HSM_START, hart, (u64)second_entry, 0).error)
		return;
	while (!finished)
		;
	/* The stack is free for the next only when this one has stopped. */
	do
		status = sbi(EID_HSM, HSM_STATUS, hart, 0, 0);
	while (status.value != HSM_STOPPED);
}

void host_main(u64 hart)
{
	u64 other;

	say("\naudit: host runs\n");
	/* Valid, readable, writable, executable, accessed, dirty */
	identity_map(page_table, 0xcf);
	if (audit_plan.magic != AUDIT_PLAN_MAGIC) {
		say("audit: no plan\n");
		power_off();
	}
	audit_hart(hart);
	for (other = 0; other < AUDIT_HARTS; other++)
		if (other != hart)
			audit_other(other);
	say("audit: complete\n");
	/* All that is to be judged on a healthy machine is looked at until then. */
	while (!audit_go)
		;
	audit_call(hart, CALL_FAULT);
	say("audit: the TSM is dead\n");
	power_off();
}
