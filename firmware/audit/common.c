// SPDX-License-Identifier: BSD-2-Clause
/* What both sides do alike: go through the plan, fill, and look. */
#include "audit.h"

void dump_csrs(const struct plan *plan, const u8 *probe, u64 want, u64 *csr,
	       u64 *current)
{
	u64 i;

	for (i = 0; i < plan->count; i++) {
		const struct plan_entry *entry = &plan->entries[i];

		if (!probe[entry->number] || (entry->flags & want) != want)
			continue;
		*current = entry->number;
		csr[i] = csr_read_number(entry->number).value;
	}
	*current = 0;
}

static void fill_one(const struct plan_entry *entry, u64 want,
		     const u64 *table)
{
	u64 value = want == PLAN_HOST_WRITES ? entry->host : entry->tsm;

	if (entry->flags & PLAN_PAGE_TABLE)
		value |= (u64)table >> 12;
	csr_write_number(entry->number, value);
}

void fill_csrs(const struct plan *plan, const u8 *probe, u64 want,
	       const u64 *table, u64 *current)
{
	u64 i;

	for (i = 0; i < plan->count; i++) {
		const struct plan_entry *entry = &plan->entries[i];

		if (!probe[entry->number] || !(entry->flags & want))
			continue;
		*current = entry->number;
		fill_one(entry, want, table);
	}
	*current = 0;
}

u64 enable_fp_vector(void)
{
	u64 status, have = 0;

	csr_set(CSR_SSTATUS, SSTATUS_FS | SSTATUS_VS);
	status = csr_read(CSR_SSTATUS);
	if (status & SSTATUS_FS)
		have |= HAVE_FP;
	if (status & SSTATUS_VS)
		have |= HAVE_VECTOR;
	return have;
}

void save_fp_vector(struct snapshot *snapshot, u64 have)
{
	snapshot->have = have;
	if (have & HAVE_FP)
		fp_save(snapshot->fp);
	if (have & HAVE_VECTOR)
		vector_save(&snapshot->vector);
}

void fill_fp_vector(u64 have, u64 seed)
{
	static u64 fp[33];
	static struct vector_state vector;
	u64 *words = (u64 *)vector.regs;
	u64 i;

	for (i = 0; i < 32; i++)
		fp[i] = seed | 0x4600 | i;
	/* Rounding mode and flags differ between the seeds' last bits. */
	fp[32] = (seed >> 32 & 1) ? 0x35 : 0x4a;
	if (have & HAVE_FP)
		fp_load(fp);
	for (i = 0; i < AUDIT_V_BYTES / 8; i++)
		words[i] = seed | 0x5600 | i << 16;
	vector.vstart = seed >> 32 & 1 ? 2 : 3;
	vector.vl = seed >> 32 & 1 ? 5 : 7;
	/* e8 or e16, m1 */
	vector.vtype = seed >> 32 & 1 ? 0 : 8;
	vector.vcsr = seed >> 32 & 1 ? 2 : 5;
	if (have & HAVE_VECTOR)
		vector_load(&vector);
}

void sample_counter(u64 number, u64 samples[2])
{
	u64 i;

	if (!number)
		return;
	samples[0] = csr_read_number(number).value;
	for (i = 0; i < 2000; i++)
		__asm__ volatile("nop");
	samples[1] = csr_read_number(number).value;
}

static u64 swap_number(u64 number, u64 value)
{
	u64 old = csr_read_number(number).value;

	csr_write_number(number, value);
	return old;
}

u64 count_records(const u8 *probe)
{
	u64 control, status, depth, select, i, count = 0;

	if (!probe[CSR_SCTRDEPTH])
		return 0;
	/* None is made while they are counted, and all 256 are in sight. */
	control = swap_number(CSR_SCTRCTL, 0);
	status = csr_read_number(CSR_SCTRSTATUS).value;
	depth = swap_number(CSR_SCTRDEPTH, CTR_DEPTH_256);
	select = swap_number(CSR_SISELECT, 0);
	for (i = 0; i < 256; i++) {
		csr_write_number(CSR_SISELECT, CTR_SELECT + i);
		count += csr_read_number(CSR_SIREG).value != 0;
	}
	csr_write_number(CSR_SISELECT, select);
	csr_write_number(CSR_SCTRDEPTH, depth);
	csr_write_number(CSR_SCTRSTATUS, status);
	csr_write_number(CSR_SCTRCTL, control);
	return count;
}

void make_records(const u8 *probe)
{
	u64 i;

	if (!probe[CSR_SCTRDEPTH])
		return;
	csr_write_number(CSR_SCTRSTATUS, 0);
	csr_write_number(CSR_SCTRDEPTH, CTR_DEPTH_256);
	csr_write_number(CSR_SCTRCTL, CTR_RECORD_S);
	for (i = 0; i < 64; i++)
		__asm__ volatile("nop");
	csr_write_number(CSR_SCTRCTL, 0);
}

void identity_map(u64 *table, u64 bits)
{
	u64 i;

	for (i = 0; i < 512; i++)
		table[i] = i << 28 | bits;
}
