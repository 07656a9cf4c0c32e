/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the audit's two sides share: the plan that the harness writes, the
 * snapshots that it reads, and the primitives that touch the hart's state.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "cove.h"

#define AUDIT_HARTS		COVE_MAX_HARTS
#define AUDIT_MAX_CSRS		256
#define AUDIT_CSR_NUMBERS	4096
#define AUDIT_V_BYTES		4096
#define AUDIT_PLAN_MAGIC	0x414c502e54445541	/* "AUDT.PLA" */

/* What a side does with a CSR, bits of struct plan_entry.flags. */
#define PLAN_HOST_WRITES	(1 << 0)
#define PLAN_TSM_READS		(1 << 1)
#define PLAN_TSM_WRITES		(1 << 2)
/* The pattern is only mode and ASID: the page table's address is added. */
#define PLAN_PAGE_TABLE		(1 << 3)

/* Calls by a6[5:0]. Those from CALL_FILL on are audited; the number of the
 * snapshot is that of the call minus CALL_FILL. */
#define CALL_SETUP		0
#define CALL_FILL		1
#define CALL_GUEST		2
/* As CALL_FILL, with LCOFI taken from the host by SSE: mideleg is changed. */
#define CALL_SETTINGS		3
/* The TSM fills the hart and dies; only the first hart makes this call. */
#define CALL_FAULT		4
#define AUDITED_CALLS		4

/* What the TSM's calls answer, so that the harness can tell. */
#define ANSWER_A0(call)		(0x54534d2d61300000 + (call))
#define ANSWER_A1(call)		(0x54534d2d61310000 + (call))
/* a1 of CALL_FAULT if the TSM's own fault came to the TSM. */
#define ANSWER_SURVIVED		0x54534d2d73757276
#define ANSWER_SCAUSE		0x54534d2d73636175
#define ANSWER_STVAL		0x54534d2d73747661

/* Each hart's own part of the TSM's region, found from tp without any other
 * register; the last one ends before the boot information page. */
#define AREA_SHIFT		20
#define AREA_BASE		(TSM_BASE + 0x800000)
#define AREA_STACK_TOP		0x80000
/* Offsets in struct tsm_area. */
#define AREA_GPR		0
#define AREA_SAVED		256
#define AREA_GUEST_GPR		512
/* Offsets in struct host_frame. */
#define FRAME_IN		0
#define FRAME_OUT		256
#define FRAME_SAVED		512

#define CSR_SSTATUS	0x100
#define CSR_STVEC	0x105
#define CSR_SSCRATCH	0x140
#define CSR_SEPC	0x141
#define CSR_SCAUSE	0x142
#define CSR_STVAL	0x143
#define CSR_SCTRCTL	0x14e
#define CSR_SCTRSTATUS	0x14f
#define CSR_SISELECT	0x150
#define CSR_SIREG	0x151
#define CSR_SCTRDEPTH	0x15f
#define CSR_SATP	0x180
#define CSR_VSATP	0x280
#define CSR_HSTATUS	0x600
#define CSR_HENVCFG	0x60a
#define CSR_HGATP	0x680

#define SSTATUS_SPP	(1UL << 8)
#define SSTATUS_VS	(3UL << 9)
#define SSTATUS_FS	(3UL << 13)
#define CTR_RECORD_S	2
#define CTR_DEPTH_256	4
/* siselect of the newest record; sireg is its source */
#define CTR_SELECT	0x200
#define HSTATUS_SPV	(1UL << 7)
#define HSTATUS_SPVP	(1UL << 8)
#define SATP_SV39	(8UL << 60)

#ifndef __ASSEMBLER__

typedef unsigned char u8;
typedef unsigned long u64;

struct plan_entry {
	u64 number;
	u64 flags;
	u64 host;
	u64 tsm;
};

struct plan {
	u64 magic;
	u64 count;
	struct plan_entry entries[AUDIT_MAX_CSRS];
};

struct vector_state {
	u64 vstart;
	u64 vl;
	u64 vtype;
	u64 vcsr;
	u8 regs[AUDIT_V_BYTES];
};

/** Everything one side sees at one moment; the harness reads it as u64s */
struct snapshot {
	u64 gpr[32];
	/* f0-f31, fcsr */
	u64 fp[33];
	/* Bit 0: fp is filled in, bit 1: vector is */
	u64 have;
	u64 valid;
	/* The TSM's: what ended the guest, and all that henvcfg can hold */
	u64 guest_cause;
	u64 henvcfg_mask;
	/* Twice the programmable counter of the host, some time between */
	u64 counter[2];
	/* Control transfer records that are not zero */
	u64 records;
	u64 reserved;
	struct vector_state vector;
	/* By index in the plan */
	u64 csr[AUDIT_MAX_CSRS];
};

#define HAVE_FP		1
#define HAVE_VECTOR	2

struct csr_answer {
	u64 value;
	/* The access trapped; only the host's trap vector says so */
	u64 trapped;
};

/* stubs.S */
struct csr_answer csr_read_number(u64 number);
struct csr_answer csr_write_number(u64 number, u64 value);
void fp_save(u64 fp[33]);
void fp_load(const u64 fp[33]);
void vector_save(struct vector_state *state);
void vector_load(const struct vector_state *state);

/* common.c */

/** Read the CSRs of the plan that @p probe has and that @p want asks for */
void dump_csrs(const struct plan *plan, const u8 *probe, u64 want, u64 *csr,
	       u64 *current);

/** Write the patterns of one side; @p table is its page table */
void fill_csrs(const struct plan *plan, const u8 *probe, u64 want,
	       const u64 *table, u64 *current);

/** Turn FP and vector registers on and note which there are */
u64 enable_fp_vector(void);
void save_fp_vector(struct snapshot *snapshot, u64 have);

/** Put patterns made of @p seed into all FP and vector registers */
void fill_fp_vector(u64 have, u64 seed);

/** Read a counter twice, 0 for none, with some time between */
void sample_counter(u64 number, u64 samples[2]);

/** Count the control transfer records that hold something, 0 without Smctr */
u64 count_records(const u8 *probe);

/** Make control transfer records; they stop when sctrctl is written again */
void make_records(const u8 *probe);

/** Fill 512 entries with an identity map of gigapages; @p bits: of each PTE */
void identity_map(u64 *table, u64 bits);

#define csr_read(number) ({						\
	u64 value_;							\
	__asm__ volatile("csrr %0, %1" : "=r"(value_) : "i"(number));	\
	value_;								\
})

#define csr_write(number, value)					\
	__asm__ volatile("csrw %0, %1" : : "i"(number),			\
			 "r"((u64)(value)) : "memory")

#define csr_set(number, bits)						\
	__asm__ volatile("csrs %0, %1" : : "i"(number),			\
			 "r"((u64)(bits)) : "memory")

#define csr_clear(number, bits)						\
	__asm__ volatile("csrc %0, %1" : : "i"(number),			\
			 "r"((u64)(bits)) : "memory")

#endif /* __ASSEMBLER__ */
#endif
