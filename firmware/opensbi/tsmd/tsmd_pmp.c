/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Isolation backend: PMP.
 *
 * pmpaddr is the same for host and TSMs, only permissions differ, so that a
 * switch writes pmpcfg and fences. The lowest matching entry decides; the host
 * has what OpenSBI says or nothing, and what one TSM owns another finds closed:
 *
 *                                               host     owner    other TSMs
 *   OpenSBI's own regions (firmware, devices)   OpenSBI  none     none
 *   for each domain:
 *     guard page of this hart's TSM stack       none     none     none
 *     the TSM's region                          none     RWX      none
 *   confidential ranges of all domains          none     RWX      none
 *   unused
 *   regions that contain a TSM (catch-all)      OpenSBI  RW       RW
 *
 * A TSM never executes memory that the host can write. Every hart runs on a
 * stack of its own, so the guard pages are the pmpaddr that differ from hart
 * to hart: one entry guards all stacks of a TSM.
 */

#include "tsmd_switch.h"

#define PMP_RWX		(PMP_R | PMP_W | PMP_X)

/** Owner of what all TSMs may do the same with */
#define ALL_DOMAINS	0xff

struct entry {
	unsigned long addr;
	u8 host;
	/** For the owner; a TSM that is not the owner may do what the host may */
	u8 tsm;
	/** Index of a domain, or ALL_DOMAINS */
	u8 owner;
};

struct guard {
	/** Guard page of hart index 0, 0 for none, and the way to the next */
	unsigned long base;
	unsigned long stride;
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
	struct guard guard[COVE_MAX_TSM_DOMAINS];
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
	e->owner = ALL_DOMAINS;
}

/** Memory of one TSM: nobody else may touch it, and M-mode does not ask */
static void set_owned(struct entry *e, unsigned long start, unsigned long size,
		      u8 tsm, const struct tsmd_domain *domain)
{
	e->addr = tsmd_pmpaddr_napot(start, size);
	e->host = PMP_A_NAPOT;
	e->tsm = PMP_A_NAPOT | tsm;
	e->owner = domain->index;
}

static bool contains_tsm(const struct sbi_domain_memregion *reg)
{
	unsigned long last = reg->order < __riscv_xlen ?
			     reg->base + (1UL << reg->order) - 1 : -1UL;
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++) {
		const struct tsmd_range *tsm = &tsmd_domains[i].tsm;

		if (reg->base <= tsm->start && tsm->end - 1 <= last)
			return true;
	}
	return false;
}

static bool all_tsms_are_napot(void)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++)
		if (!tsmd_range_is_napot(tsmd_domains[i].tsm.start,
					 tsmd_domains[i].tsm.end))
			return false;
	return true;
}

static int usable_entries(void)
{
	struct sbi_scratch *scratch = sbi_scratch_thishart_ptr();
	unsigned int count = sbi_hart_pmp_count(scratch);

	if (sbi_hart_pmp_log2gran(scratch) > TSMD_PAGE_SHIFT)
		return 0;
	return count < TSMD_MAX_PMP ? count : TSMD_MAX_PMP;
}

/** Guard and region of a domain; those of all domains lie side by side */
static unsigned int guard_entry(u32 domain)
{
	return image.first - 2 * (tsmd_domain_count - domain);
}

int tsmd_pmp_init(void)
{
	const struct sbi_domain_memregion *reg;
	unsigned int front = 0, back = 0;
	u32 i;

	if (!all_tsms_are_napot())
		return SBI_EINVAL;
	/* With Smepmp OpenSBI locks its entries and reserves one. */
	if (sbi_hart_has_extension(sbi_scratch_thishart_ptr(),
				   SBI_HART_EXT_SMEPMP)) {
		sbi_printf("tsmd: Smepmp is not supported\n");
		return SBI_ENOTSUPP;
	}

	image.count = usable_entries();
	for (reg = tsmd_host->regions; reg->order; reg++) {
		if (contains_tsm(reg))
			back++;
		else
			front++;
	}
	/*
	 * Guard and region of each TSM, and at least one confidential range (of
	 * two entries) each, must find a place.
	 */
	if (image.count < front + back + 4 * tsmd_domain_count)
		return SBI_ENOSPC;

	image.first = front + 2 * tsmd_domain_count;
	image.last = image.count - back;
	front = 0;
	back = image.last;
	for (reg = tsmd_host->regions; reg->order; reg++) {
		if (contains_tsm(reg))
			set_region(&image.entry[back++], reg, PMP_R | PMP_W);
		else
			set_region(&image.entry[front++], reg, 0);
	}

	for (i = 0; i < tsmd_domain_count; i++) {
		const struct tsmd_domain *domain = &tsmd_domains[i];

		set_owned(&image.entry[guard_entry(i) + 1], domain->tsm.start,
			  domain->tsm.end - domain->tsm.start, PMP_RWX, domain);
	}
	image.sequence = 2;
	return 0;
}

static unsigned long guard_of(const struct tsmd_hart *hart, u32 domain)
{
	return image.guard[domain].base +
	       hart->index * image.guard[domain].stride;
}

bool tsmd_pmp_is_guard(const struct tsmd_hart *hart, unsigned long addr)
{
	u32 domain = hart->domain->index;

	return image.guard[domain].base && addr >= guard_of(hart, domain) &&
	       addr - guard_of(hart, domain) < TSMD_PAGE_SIZE;
}

int tsmd_pmp_set_guard(struct tsmd_hart *hart, unsigned long guard,
		       unsigned long stride)
{
	const struct tsmd_domain *domain = hart->domain;
	const struct tsmd_range *tsm = &domain->tsm;
	unsigned long room = tsm->end - tsm->start;

	if (!guard)
		return 0;
	if ((guard | stride) & (TSMD_PAGE_SIZE - 1) ||
	    guard < tsm->start || guard >= tsm->end || stride > room ||
	    tsm->end - guard < COVE_MAX_HARTS * stride + TSMD_PAGE_SIZE)
		return COVE_ERR_INVALID_ADDRESS;

	image.guard[domain->index] = (struct guard){ guard, stride };
	set_owned(&image.entry[guard_entry(domain->index)], guard,
		  TSMD_PAGE_SIZE, 0, domain);
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

static unsigned int set_range(unsigned int i, const struct tsmd_range *range,
			      const struct tsmd_domain *domain)
{
	struct entry *e = &image.entry[i];

	if (tsmd_range_is_napot(range->start, range->end)) {
		set_owned(e, range->start, range->end - range->start, PMP_RWX,
			  domain);
		return i + 1;
	}

	/* Top of range takes its lower bound from the entry before it. */
	e[0].addr = range->start >> PMP_SHIFT;
	e[0].host = e[0].tsm = 0;
	e[0].owner = e[1].owner = domain->index;
	e[1].addr = range->end >> PMP_SHIFT;
	e[1].host = PMP_A_TOR;
	e[1].tsm = PMP_A_TOR | PMP_RWX;
	return i + 2;
}

static unsigned int set_ranges(unsigned int next,
			       const struct tsmd_domain *domain)
{
	const struct tsmd_ranges *set = &domain->confidential;
	unsigned int i;

	for (i = 0; i < set->count; i++)
		next = set_range(next, &set->range[i], domain);
	return next;
}

void tsmd_pmp_publish(void)
{
	unsigned int next = image.first;
	u32 i;

	image.sequence++;
	smp_wmb();
	for (i = 0; i < tsmd_domain_count; i++)
		next = set_ranges(next, &tsmd_domains[i]);
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

/** Take the guard pages, which are each hart's own, as they are in its PMP */
static void write_guards(const struct tsmd_hart *hart)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++)
		csr_write_num(CSR_PMPADDR0 + guard_entry(i),
			      tsmd_pmpaddr_napot(guard_of(hart, i),
						 TSMD_PAGE_SIZE));
}

static void add_entry(struct tsmd_hart *hart, unsigned int i)
{
	const struct entry *e = &image.entry[i];
	unsigned long shift = (i % 8) * 8;
	u32 domain;

	hart->cfg_host[i / 8] |= (unsigned long)e->host << shift;
	for (domain = 0; domain < tsmd_domain_count; domain++) {
		bool mine = e->owner == domain || e->owner == ALL_DOMAINS;
		u8 cfg = mine ? e->tsm : e->host;

		hart->views[domain].cfg[i / 8] |= (unsigned long)cfg << shift;
	}
}

static void clear_cfg(struct tsmd_hart *hart)
{
	u32 i;

	hart->cfg_host[0] = hart->cfg_host[1] = 0;
	for (i = 0; i < tsmd_domain_count; i++)
		hart->views[i].cfg[0] = hart->views[i].cfg[1] = 0;
}

static unsigned long copy_image(struct tsmd_hart *hart)
{
	unsigned long sequence;
	unsigned int i;

	do {
		sequence = *(volatile unsigned long *)&image.sequence;
		smp_rmb();
		clear_cfg(hart);
		for (i = 0; i < image.count; i++) {
			csr_write_num(CSR_PMPADDR0 + i, image.entry[i].addr);
			add_entry(hart, i);
		}
		write_guards(hart);
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
	tsmd_pmp_select(hart, hart->in_tsm ? hart->view->cfg : hart->cfg_host);
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
	    sbi_hartindex_to_domain(index) != tsmd_host)
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
