/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From cold boot to READY TSMs: find the domains, enter each TSM once before
 * the host starts, and give every starting hart the isolation image.
 */

#include "tsmd.h"
#include "tsmd_wrap.h"

static void find_domains(void)
{
	int rc = tsmd_fdt_parse();
	u32 i;

	if (!rc)
		return;
	if (rc > 0) {
		tsmd_domain_count = rc;
		tsmd_host = sbi_domain_thishart_ptr();
		rc = tsmd_pmp_init();
	}
	if (!rc)
		rc = tsmd_memory_init();
	if (!rc)
		rc = tsmd_domain_init();
	if (rc) {
		/* A machine that is declared wrongly runs without any of them. */
		tsmd_domain_count = 0;
		sbi_printf("tsmd: TSM domain refused (error %d)\n", rc);
		return;
	}

	tsmd_watchdog_init();
	for (i = 0; i < tsmd_domain_count; i++) {
		const struct tsmd_domain *domain = &tsmd_domains[i];

		sbi_printf("tsmd: TSM domain: SDID %u, image 0x%lx-0x%lx, "
			   "pool 0x%lx-0x%lx\n", domain->sdid,
			   domain->tsm.start, domain->tsm.end - 1,
			   domain->pool.start, domain->pool.end - 1);
	}
}

bool tsmd_boot_init(void)
{
	static bool done;

	if (!done)
		find_domains();
	done = true;
	return tsmd_domain_count;
}

/*
 * Asked of the hart, because an OpenSBI that does not know an extension also
 * does not close it: v1.5 knows no Smcsrind, v1.6 no Smctr.
 */
#define HAS_CSR(number) ({						\
	struct sbi_trap_info trap_ = { 0 };				\
	csr_read_allowed(number, &trap_);				\
	!trap_.cause;							\
})

/** Note what OpenSBI set up on this hart, before the host changes it */
static void note_hart(struct tsmd_hart *hart)
{
	struct sbi_scratch *scratch = sbi_scratch_thishart_ptr();

	if (hart->seen)
		return;
	hart->has_h = misa_extension('H');
	hart->has_sstc = sbi_hart_has_extension(scratch, SBI_HART_EXT_SSTC);
	hart->has_stateen = sbi_hart_has_extension(scratch,
						   SBI_HART_EXT_SMSTATEEN);
	hart->has_aia = sbi_hart_has_extension(scratch, SBI_HART_EXT_SMAIA);
	hart->has_select = HAS_CSR(TSMD_SISELECT);
	hart->has_ctr = hart->has_select && HAS_CSR(TSMD_SCTRDEPTH);
	hart->has_optional = hart->has_stateen || hart->has_select;
	hart->boot.medeleg = csr_read(CSR_MEDELEG);
	hart->boot.mideleg = csr_read(CSR_MIDELEG);
	hart->boot.menvcfg = csr_read(CSR_MENVCFG);
	/*
	 * HS-mode with everything else at zero: interrupts off, no FP, no
	 * vectors, no memory tricks (SUM, MXR, MPRV) left over from the host.
	 */
	hart->tsm_mstatus = (csr_read(CSR_MSTATUS) &
			     (MSTATUS_UXL | MSTATUS_SXL)) |
			    ((unsigned long)PRV_S << MSTATUS_MPP_SHIFT);
	hart->seen = true;
	hart->fast = true;
}

unsigned long tsmd_next_vector;

/** csrrw tp, mscratch, tp and sd t0, SBI_SCRATCH_TMP0_OFFSET(tp) */
#define VECTOR_HEAD_0	0x34021273
#define VECTOR_HEAD_1	(0x00023023 | 5 << 20 |				\
			 (SBI_SCRATCH_TMP0_OFFSET & 0x1f) << 7 |	\
			 (SBI_SCRATCH_TMP0_OFFSET >> 5) << 25)

/**
 * Put the fast vector in front of OpenSBI's, which it enters behind two
 * instructions that both begin with. An OpenSBI whose vector begins otherwise
 * keeps it: then all traps take the way through sbi_trap_handler().
 */
static void install_vector(void)
{
	unsigned long vector = csr_read(CSR_MTVEC);
	const u32 *code = (const u32 *)vector;

	if (vector == (unsigned long)tsmd_vector)
		return;
	if (code[0] != VECTOR_HEAD_0 || code[1] != VECTOR_HEAD_1)
		return;
	/* All harts have the same; the first one writes it before the rest run. */
	tsmd_next_vector = vector;
	csr_write(CSR_MTVEC, tsmd_vector);
}

static void set_host_frame(struct sbi_trap_regs *regs, unsigned long arg0,
			   unsigned long arg1, unsigned long next_addr)
{
	sbi_memset(regs, 0, sizeof(*regs));
	regs->a0 = arg0;
	regs->a1 = arg1;
	regs->mepc = next_addr;
	regs->mstatus = csr_read(CSR_MSTATUS);
	regs->mstatus &= ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MPV);
	regs->mstatus |= (unsigned long)PRV_S << MSTATUS_MPP_SHIFT;

	/* As sbi_hart_switch_mode() leaves them. */
	csr_write(CSR_STVEC, next_addr);
	csr_write(CSR_SSCRATCH, 0);
	csr_write(CSR_SIE, 0);
	csr_write(CSR_SATP, 0);
}

/** Enter the TSM of @p domain for the first time; @p host is where it ends */
static struct sbi_trap_context *boot_tsm(struct tsmd_hart *hart,
					 const struct tsmd_domain *domain,
					 const struct sbi_trap_regs *host)
{
	struct sbi_trap_context *tsm;

	tsmd_turn_to(hart, domain->sdid);
	hart->booting = true;
	tsm = tsmd_enter(hart, host);
	tsm->regs.a0 = hart->index;
	tsm->regs.a1 = (unsigned long)domain->info;
	tsm->regs.a7 = COVE_EID_TSMD;
	tsmd_event(hart, TEE_EVENT_TSM_BOOT, 0, domain->entry, 0);
	return tsm;
}

/** A TSM that was never entered, if there is one */
static const struct tsmd_domain *next_to_boot(void)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++)
		if (tsmd_domains[i].state == TSMD_LOADED)
			return &tsmd_domains[i];
	return NULL;
}

struct sbi_trap_context *tsmd_boot_next(struct tsmd_hart *hart)
{
	const struct tsmd_domain *domain = next_to_boot();
	struct sbi_trap_context *host;

	/* By way of the host, so that the next TSM finds nothing of this one. */
	hart->booting = false;
	host = tsmd_leave(hart);
	return domain ? boot_tsm(hart, domain, &host->regs) : host;
}

/** Before any TSM runs: what one domain has left behind is not another's either. */
static void scrub_all(void)
{
	u32 i;

	for (i = 0; i < tsmd_domain_count; i++)
		tsmd_record_scrub(&tsmd_domains[i]);
}

/** Enter the first TSM; when the last is READY, the host is at @p next_addr. */
static void __attribute__((noreturn))
boot_tsms(struct tsmd_hart *hart, const struct tsmd_domain *first,
	  unsigned long arg0, unsigned long arg1, unsigned long next_addr)
{
	struct sbi_trap_regs host;

	set_host_frame(&host, arg0, arg1, next_addr);
	scrub_all();
	tsmd_mret(&boot_tsm(hart, first, &host)->regs);
}

void __attribute__((noreturn))
__real_sbi_hart_switch_mode(unsigned long arg0, unsigned long arg1,
			    unsigned long next_addr, unsigned long next_mode,
			    bool next_virt);
void __attribute__((noreturn))
__wrap_sbi_hart_switch_mode(unsigned long arg0, unsigned long arg1,
			    unsigned long next_addr, unsigned long next_mode,
			    bool next_virt);
TSMD_SAME_TYPE(sbi_hart_switch_mode);

/**
 * Every hart leaves M-mode here when it boots, starts or resumes, after
 * OpenSBI has programmed its own regions into the PMP.
 */
void __attribute__((noreturn))
__wrap_sbi_hart_switch_mode(unsigned long arg0, unsigned long arg1,
			    unsigned long next_addr, unsigned long next_mode,
			    bool next_virt)
{
	const struct tsmd_domain *first;
	struct tsmd_hart *hart;

	if (tsmd_domain_count && sbi_domain_thishart_ptr() == tsmd_host) {
		hart = tsmd_this_hart();
		note_hart(hart);
		install_vector();
		/*
		 * OpenSBI overwrote the PMP on its way here, whatever this
		 * hart had loaded before. Pairs with tsmd_pmp_sync(), which
		 * looks at the hart's state after publishing.
		 */
		hart->pmp_loaded = 0;
		smp_mb();
		tsmd_pmp_refresh(hart);
		tsmd_watchdog_start(hart);
		first = next_to_boot();
		if (first && next_mode == PRV_S)
			boot_tsms(hart, first, arg0, arg1, next_addr);
	}
	__real_sbi_hart_switch_mode(arg0, arg1, next_addr, next_mode, next_virt);
}
