/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Isolation backend: PMP.
 *
 * pmpaddr is the same for host and TSM, only permissions differ, so that a
 * switch writes pmpcfg and fences. The lowest matching entry decides:
 *
 *   OpenSBI's own regions (firmware, devices)   host: as OpenSBI says  TSM: none
 *   guard page of this hart's TSM stack         host: none             TSM: none
 *   the TSM's region                            host: none             TSM: RWX
 *   confidential ranges of the pool             host: none             TSM: RWX
 *   unused
 *   regions that contain the TSM (catch-all)    host: as OpenSBI says  TSM: RW
 *
 * The TSM never executes memory that the host can write. Every hart runs on a
 * stack of its own, so the guard page is the one pmpaddr that differs from
 * hart to hart: one entry guards all stacks.
 */

#include "tsmd_switch.h"

#define PMP_RWX		(PMP_R | PMP_W | PMP_X)

struct entry {
	unsigned long addr;
	u8 host;
	u8 tsm;
};

/** What every hart of the host loads; guarded by the sequence number */
static struct {
	/** Odd while an update is being written */
	unsigned long sequence;
	unsigned int count;
	/** First entry that confidential ranges may use, and the end of those */
	unsigned int first;
	unsigned int last;
	struct entry entry[TSMD_MAX_PMP];
	/** Guard page of hart index 0, 0 for none, and the way to the next */
	unsigned long guard;
	unsigned long guard_stride;
} image;

/* The prototypes moved between headers from release to release. */
unsigned int sbi_hart_pmp_count(struct sbi_scratch *scratch);
unsigned int sbi_hart_pmp_log2gran(struct sbi_scratch *scratch);

static void set_region(struct entry *e, const struct sbi_domain_memregion *reg,
		       u8 tsm)
{
	u8 host = PMP_A_NAPOT;

	if (reg->flags & SBI_DOMAIN_MEMREGION_SU_READABLE)
		host |= PMP_R;
	if (reg->flags & SBI_DOMAIN_MEMREGION_SU_WRITABLE)
		host |= PMP_W;
	if (reg->flags & SBI_DOMAIN_MEMREGION_SU_EXECUTABLE)
		host |= PMP_X;

	/* A region of the whole address space has order __riscv_xlen. */
	e->addr = reg->order < __riscv_xlen ?
		  tsmd_pmpaddr_napot(reg->base, 1UL << reg->order) : -1UL;
	e->host = host;
	e->tsm = PMP_A_NAPOT | tsm;
}

static bool contains_tsm(const struct sbi_domain_memregion *reg)
{
	unsigned long last = reg->order < __riscv_xlen ?
			     reg->base + (1UL << reg->order) - 1 : -1UL;

	return reg->base <= tsmd.tsm.start && tsmd.tsm.end - 1 <= last;
}

static int usable_entries(void)
{
	struct sbi_scratch *scratch = sbi_scratch_thishart_ptr();
	unsigned int count = sbi_hart_pmp_count(scratch);

	if (sbi_hart_pmp_log2gran(scratch) > TSMD_PAGE_SHIFT)
		return 0;
	return count < TSMD_MAX_PMP ? count : TSMD_MAX_PMP;
}

int tsmd_pmp_init(void)
{
	const struct sbi_domain_memregion *reg;
	unsigned int front = 0, back = 0, i;

	if (!tsmd_range_is_napot(tsmd.tsm.start, tsmd.tsm.end))
		return SBI_EINVAL;
	/* With Smepmp OpenSBI locks its entries and reserves one. */
	if (sbi_hart_has_extension(sbi_scratch_thishart_ptr(),
				   SBI_HART_EXT_SMEPMP)) {
		sbi_printf("tsmd: Smepmp is not supported\n");
		return SBI_ENOTSUPP;
	}

	image.count = usable_entries();
	for (reg = tsmd.host->regions; reg->order; reg++) {
		if (contains_tsm(reg))
			back++;
		else
			front++;
	}
	/* Guard, TSM and at least one confidential range must find a place. */
	if (image.count < front + back + 4)
		return SBI_ENOSPC;

	image.first = front + 2;
	image.last = image.count - back;
	front = 0;
	back = image.last;
	for (reg = tsmd.host->regions; reg->order; reg++) {
		if (contains_tsm(reg))
			set_region(&image.entry[back++], reg, PMP_R | PMP_W);
		else
			set_region(&image.entry[front++], reg, 0);
	}

	i = image.first - 1;
	image.entry[i].addr = tsmd_pmpaddr_napot(tsmd.tsm.start,
						 tsmd.tsm.end - tsmd.tsm.start);
	image.entry[i].host = PMP_A_NAPOT;
	image.entry[i].tsm = PMP_A_NAPOT | PMP_RWX;
	image.sequence = 2;
	return 0;
}

static unsigned int guard_entry(void)
{
	return image.first - 2;
}

static unsigned long guard_of(const struct tsmd_hart *hart)
{
	return image.guard + hart->index * image.guard_stride;
}

bool tsmd_pmp_is_guard(const struct tsmd_hart *hart, unsigned long addr)
{
	return image.guard && addr >= guard_of(hart) &&
	       addr - guard_of(hart) < TSMD_PAGE_SIZE;
}

int tsmd_pmp_set_guard(struct tsmd_hart *hart, unsigned long guard,
		       unsigned long stride)
{
	unsigned long room = tsmd.tsm.end - tsmd.tsm.start;

	if (!guard)
		return 0;
	if ((guard | stride) & (TSMD_PAGE_SIZE - 1) ||
	    guard < tsmd.tsm.start || guard >= tsmd.tsm.end || stride > room ||
	    tsmd.tsm.end - guard < COVE_MAX_HARTS * stride + TSMD_PAGE_SIZE)
		return COVE_ERR_INVALID_ADDRESS;

	image.guard = guard;
	image.guard_stride = stride;
	image.entry[guard_entry()].host = PMP_A_NAPOT;
	image.entry[guard_entry()].tsm = PMP_A_NAPOT;
	/* No other hart of the host runs yet: each loads it when it starts. */
	image.sequence += 2;
	smp_mb();
	tsmd_pmp_refresh(hart);
	return 0;
}

unsigned int tsmd_pmp_capacity(void)
{
	return image.last - image.first;
}

static unsigned int set_range(unsigned int i, const struct tsmd_range *range)
{
	struct entry *e = &image.entry[i];

	if (tsmd_range_is_napot(range->start, range->end)) {
		e->addr = tsmd_pmpaddr_napot(range->start,
					     range->end - range->start);
		e->host = PMP_A_NAPOT;
		e->tsm = PMP_A_NAPOT | PMP_RWX;
		return i + 1;
	}

	/* Top of range takes its lower bound from the entry before it. */
	e[0].addr = range->start >> PMP_SHIFT;
	e[0].host = e[0].tsm = 0;
	e[1].addr = range->end >> PMP_SHIFT;
	e[1].host = PMP_A_TOR;
	e[1].tsm = PMP_A_TOR | PMP_RWX;
	return i + 2;
}

void tsmd_pmp_publish(const struct tsmd_ranges *set)
{
	unsigned int i, next = image.first;

	image.sequence++;
	smp_wmb();
	for (i = 0; i < set->count; i++)
		next = set_range(next, &set->range[i]);
	for (; next < image.last; next++)
		image.entry[next] = (struct entry){ 0 };
	smp_wmb();
	image.sequence++;

	/*
	 * Other harts compare their loaded generation with the sequence after
	 * they became interruptible; this side looks at their state after it
	 * wrote the sequence. With a full barrier on both sides at least one
	 * of the two sees the other.
	 */
	smp_mb();
}

static unsigned long copy_image(struct tsmd_hart *hart)
{
	unsigned long guard = tsmd_pmpaddr_napot(guard_of(hart), TSMD_PAGE_SIZE);
	unsigned long sequence, i, shift;

	do {
		sequence = *(volatile unsigned long *)&image.sequence;
		smp_rmb();
		hart->cfg_host[0] = hart->cfg_host[1] = 0;
		hart->cfg_tsm[0] = hart->cfg_tsm[1] = 0;
		for (i = 0; i < image.count; i++) {
			shift = (i % 8) * 8;
			csr_write_num(CSR_PMPADDR0 + i,
				      i == guard_entry() ? guard :
							   image.entry[i].addr);
			hart->cfg_host[i / 8] |=
				(unsigned long)image.entry[i].host << shift;
			hart->cfg_tsm[i / 8] |=
				(unsigned long)image.entry[i].tsm << shift;
		}
		smp_rmb();
	} while ((sequence & 1) ||
		 sequence != *(volatile unsigned long *)&image.sequence);

	return sequence;
}

void tsmd_pmp_refresh(struct tsmd_hart *hart)
{
	unsigned long sequence;

	if (hart->pmp_loaded == *(volatile unsigned long *)&image.sequence)
		return;

	sequence = copy_image(hart);
	tsmd_pmp_select(hart, hart->in_tsm ? hart->cfg_tsm : hart->cfg_host);
	tsmd_event(hart, TEE_EVENT_PMP_UPDATE, 0, sequence, 0);
	/* Whoever waits for this hart may go on only after the fences. */
	smp_mb();
	*(volatile unsigned long *)&hart->pmp_loaded = sequence;
}

/** A hart that runs, or may run without passing tsmd_pmp_refresh() first */
static bool may_run(u32 index)
{
	int state;

	if (!sbi_hartindex_to_scratch(index) ||
	    sbi_hartindex_to_domain(index) != tsmd.host)
		return false;

	state = __sbi_hsm_hart_get_state(index);
	return state == SBI_HSM_STATE_STARTED ||
	       state == SBI_HSM_STATE_SUSPENDED ||
	       state == SBI_HSM_STATE_RESUME_PENDING;
}

unsigned long tsmd_pmp_running_harts(void)
{
	unsigned long mask = 0;
	u32 i;

	for (i = 0; i < COVE_MAX_HARTS; i++)
		if (may_run(i))
			mask |= 1UL << i;
	return mask;
}

void tsmd_pmp_sync(struct tsmd_hart *hart)
{
	unsigned long wanted = hart->pmp_loaded;
	u32 i;

	for (i = 0; i < COVE_MAX_HARTS; i++) {
		/*
		 * A hart that waits for this one (a remote fence, another
		 * ASSIGN) does so in M-mode with interrupts off, so its
		 * requests are served here or neither of the two goes on.
		 * The state is read anew each time: a hart that stops loads
		 * the image when it starts again.
		 */
		while (may_run(i) &&
		       *(volatile unsigned long *)&tsmd_harts[i].pmp_loaded < wanted)
			sbi_ipi_process();
	}
}
