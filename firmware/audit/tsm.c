// SPDX-License-Identifier: BSD-2-Clause
/*
 * The TSM's side of the audit: write down what the call entry finds, fill the
 * hart with patterns of its own, run a guest, and go back.
 */
#include <stddef.h>

#include "audit.h"

struct tsm_area {
	u64 gpr[32];
	u64 saved[32];
	u64 guest_gpr[32];
	const struct plan *plan;
	const u8 *probe;
	u64 counter;
};

_Static_assert(offsetof(struct tsm_area, gpr) == AREA_GPR, "tsm_entry.S");
_Static_assert(offsetof(struct tsm_area, saved) == AREA_SAVED, "tsm_entry.S");
_Static_assert(offsetof(struct tsm_area, guest_gpr) == AREA_GUEST_GPR,
	       "tsm_entry.S");

struct snapshot audit_seen[AUDIT_HARTS][AUDITED_CALLS];
struct snapshot audit_filled[AUDIT_HARTS][AUDITED_CALLS];
/** By hart: the CSR that the TSM was about to touch when it died */
u64 audit_current[AUDIT_HARTS];
/** What henvcfg could hold before the host ran: it follows menvcfg */
u64 audit_boot_henvcfg;

static u64 page_table[512] __attribute__((aligned(4096)));
static u64 guest_table[2048] __attribute__((aligned(16384)));
static u64 leave_gpr[AUDIT_HARTS][32];

void audit_tsm_call(void);
void audit_tsm_boot(void) __attribute__((noreturn));
void audit_tsm_main(struct tsm_area *area) __attribute__((noreturn));
void tsm_leave(const u64 gpr[32]) __attribute__((noreturn));
void guest_run(struct tsm_area *area);
void survived(void);

void audit_tsm_boot(void)
{
	u64 *gpr = leave_gpr[0];

	/* Valid, readable, writable, executable, accessed, dirty; a guest's
	 * pages are user pages. */
	identity_map(page_table, 0xcf);
	identity_map(guest_table, 0xdf);
	csr_write(CSR_HENVCFG, -1UL);
	audit_boot_henvcfg = csr_read(CSR_HENVCFG);
	csr_write(CSR_HENVCFG, 0);
	gpr[10] = (u64)audit_tsm_call;
	gpr[11] = TEECALL_ABI_VERSION;
	gpr[16] = COVE_TSMD_READY;
	gpr[17] = COVE_EID_TSMD;
	tsm_leave(gpr);
}

static u64 seed_of(u64 hart, u64 call)
{
	return 0x54534d2100000000 | hart << 60 | call << 56;
}

static void run_guest(struct tsm_area *area, struct snapshot *filled,
		      u64 hart)
{
	u64 vsatp = csr_read(CSR_VSATP), i;

	for (i = 0; i < 32; i++)
		area->guest_gpr[i] = 0x4755657374000000 | hart << 16 | i;
	csr_write(CSR_VSATP, 0);
	csr_write(CSR_HGATP, SATP_SV39 | 0x155UL << 44 | (u64)guest_table >> 12);
	csr_write(CSR_HSTATUS, csr_read(CSR_HSTATUS) | HSTATUS_SPV | HSTATUS_SPVP);
	csr_set(CSR_SSTATUS, SSTATUS_SPP);
	__asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" : : : "memory");
	guest_run(area);
	filled->guest_cause = csr_read(CSR_SCAUSE);
	csr_write(CSR_VSATP, vsatp);
}

static void leave(struct tsm_area *area, u64 hart, u64 call)
{
	u64 *gpr = leave_gpr[hart];
	u64 i;

	for (i = 0; i < 32; i++)
		gpr[i] = seed_of(hart, call) | 0x4700 | i;
	gpr[10] = ANSWER_A0(call);
	gpr[11] = ANSWER_A1(call);
	gpr[12] = ANSWER_SCAUSE;
	gpr[13] = ANSWER_STVAL;
	gpr[14] = call == CALL_GUEST ? COVE_RET_CAUSE_VALID : 0;
	gpr[16] = COVE_TSMD_RET;
	gpr[17] = COVE_EID_TSMD;
	if (call == CALL_SETUP) {
		area->plan = (const struct plan *)area->gpr[10];
		area->probe = (const u8 *)area->gpr[11];
		area->counter = area->gpr[12];
		gpr[10] = 0;
		gpr[11] = 0;
	}
	tsm_leave(gpr);
}

/**
 * The fault is one that the host has delegated to S-mode for itself: it must
 * not come here but end the TSM.
 */
static void die(struct snapshot *filled, u64 have)
{
	static u64 words[2];

	save_fp_vector(filled, have);
	filled->valid = 1;
	csr_write(CSR_STVEC, survived);
	enable_fp_vector();
	__asm__ volatile("amoadd.d zero, zero, (%0)"
			 : : "r"((u64)words + 1) : "memory");
}

static void audit(struct tsm_area *area, u64 hart, u64 call)
{
	struct snapshot *seen = &audit_seen[hart][call - CALL_FILL];
	struct snapshot *filled = &audit_filled[hart][call - CALL_FILL];
	u64 *current = &audit_current[hart];
	u64 have, i;

	dump_csrs(area->plan, area->probe, PLAN_TSM_READS, seen->csr, current);
	for (i = 0; i < 32; i++)
		seen->gpr[i] = area->gpr[i];
	seen->gpr[4] = hart;
	sample_counter(area->counter, seen->counter);
	seen->records = count_records(area->probe);
	make_records(area->probe);
	seen->valid = 1;
	csr_write(CSR_HENVCFG, -1UL);
	seen->henvcfg_mask = csr_read(CSR_HENVCFG);

	have = enable_fp_vector();
	save_fp_vector(seen, have);
	fill_fp_vector(have, seed_of(hart, call));
	fill_csrs(area->plan, area->probe, PLAN_TSM_WRITES, page_table, current);
	if (call == CALL_GUEST)
		run_guest(area, filled, hart);
	dump_csrs(area->plan, area->probe, PLAN_TSM_READS, filled->csr, current);
	filled->records = count_records(area->probe);

	if (call == CALL_FAULT)
		die(filled, have);

	/* The TSM's duty by contract: the host's registers are live again. */
	enable_fp_vector();
	save_fp_vector(filled, have);
	if (have & HAVE_FP)
		fp_load(seen->fp);
	if (have & HAVE_VECTOR)
		vector_load(&seen->vector);
	filled->valid = 1;
}

void audit_tsm_main(struct tsm_area *area)
{
	u64 hart = ((u64)area - AREA_BASE) >> AREA_SHIFT;
	u64 call = area->gpr[16] & 63;

	if (call != CALL_SETUP)
		audit(area, hart, call);
	leave(area, hart, call);
	__builtin_unreachable();
}
