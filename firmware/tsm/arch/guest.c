// SPDX-License-Identifier: BSD-2-Clause
/*
 * A vCPU on the hart. The host's values of every CSR written here are kept and
 * restored by M-mode; only the host's FP and V registers are the TSM's to keep,
 * because M-mode leaves them alive.
 */
#include "arch/arch.h"
#include "arch/aia.h"
#include "arch/csr.h"
#include "arch/vector.h"

#define BIT(n)	(1UL << (n))

/* What the guest's own kernel handles, as KVM does; all else is for the TSM. */
#define GUEST_HEDELEG	(BIT(CAUSE_FETCH_MISALIGNED) | BIT(CAUSE_ILLEGAL) |  \
			 BIT(CAUSE_BREAKPOINT) | BIT(CAUSE_LOAD_MISALIGNED) | \
			 BIT(CAUSE_STORE_MISALIGNED) | BIT(CAUSE_ECALL_U) |   \
			 BIT(CAUSE_FETCH_PAGE) | BIT(CAUSE_LOAD_PAGE) |	      \
			 BIT(CAUSE_STORE_PAGE))
#define GUEST_HIDELEG	(BIT(IRQ_VS_SOFT) | BIT(IRQ_VS_TIMER) | BIT(IRQ_VS_EXT))
/*
 * With Smstateen a guest reaches only state that is switched here: senvcfg,
 * sstateen0 itself, and AIA's if it has an interrupt file. Control transfer
 * records, debug contexts, jvt and whatever is custom or new end in its illegal
 * instruction.
 */
#define GUEST_STATEEN0	(HSTATEEN0_SE0 | HSTATEEN0_ENVCFG)
/* cycle, time, instret */
#define GUEST_COUNTERS	7

_Static_assert(offsetof(struct guest_context, sepc) == GUEST_SEPC,
	       "guest.S finds sepc here");
_Static_assert(offsetof(struct guest_context, tsm_sp) == GUEST_TSM_SP,
	       "guest.S keeps the TSM's stack here");
_Static_assert(offsetof(struct guest_context, tsm_tp) == GUEST_TSM_TP,
	       "guest.S keeps the hart index here");

void guest_switch(struct guest_context *guest);
long guest_fetch_half(u64 address);
void fp_save(u64 fp[33]);
void fp_restore(const u64 fp[33]);

/* What the harts have; all harts of a machine are alike. */
static bool have_fp;
static bool have_sstc;
static bool have_stateen;

/* The host's FP registers while a guest is loaded. */
static u64 host_fp[COVE_MAX_HARTS][33];

const char *arch_probe(const struct tsm_boot_info *info)
{
	have_stateen = info->features & TEE_FEATURE_STATEEN;
	csr_write(CSR_HGATP, HGATP_MODE_SV48X4);
	if (csr_read(CSR_HGATP) >> 60 != HGATP_MODE_SV48X4 >> 60)
		return "Sv48x4";
	csr_write(CSR_HGATP, 0);

	csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL);
	have_fp = csr_read(CSR_SSTATUS) & SSTATUS_FS;
	csr_clear(CSR_SSTATUS, SSTATUS_FS);
	vector_probe();

	/* STCE is read-only zero without Sstc or when M-mode keeps it off. */
	csr_write(CSR_HENVCFG, HENVCFG_STCE);
	have_sstc = csr_read(CSR_HENVCFG) & HENVCFG_STCE;
	csr_write(CSR_HENVCFG, 0);
	aia_probe(info);
	return NULL;
}

/*
 * With Sstc the timer waits from stimecmp on. sip would tell, but QEMU reads
 * sip.STIP as zero there, as only mvip.STIP has to be.
 */
static bool timer_pending(u64 enabled)
{
	return have_sstc && enabled & SIE_STIE &&
	       csr_read(CSR_TIME) >= csr_read(CSR_STIMECMP);
}

bool arch_interrupt_pending(void)
{
	u64 enabled = csr_read(CSR_SIE);

	return csr_read(CSR_SIP) & enabled || timer_pending(enabled);
}

void arch_guest_init(struct guest_context *guest, void *vector, u64 pc, u64 a0,
		     u64 a1)
{
	memset(guest, 0, sizeof(*guest));
	guest->vector = vector;
	vector_init(vector);
	guest->sepc = pc;
	guest->supervisor = true;
	guest->gpr[10] = a0;
	guest->gpr[11] = a1;
	guest->vsstatus = VSSTATUS_UXL_64;
	/*
	 * Programs may read cycle, time and instret, as OpenSBI and KVM leave
	 * it: a kernel without a PMU driver never writes it, and its vDSO
	 * reads the time.
	 */
	guest->scounteren = SCOUNTEREN_COUNTERS;
	/* No timer interrupt before the guest asks for one. */
	guest->vstimecmp = ~0UL;
}

static void load_fp(const struct guest_context *guest)
{
	if (!have_fp)
		return;
	/*
	 * With FS Off an FP instruction of the guest would trap, however its
	 * own vsstatus.FS is set.
	 */
	csr_set(CSR_SSTATUS, SSTATUS_FS);
	fp_save(host_fp[arch_hart()]);
	fp_restore(guest->fp);
}

static void put_fp(struct guest_context *guest)
{
	if (!have_fp)
		return;
	/* Whatever sstatus.FS says, as with V: a write of fcsr may leave it Clean. */
	fp_save(guest->fp);
	/* The host's values also overwrite the guest's in the hart. */
	fp_restore(host_fp[arch_hart()]);
	csr_clear(CSR_SSTATUS, SSTATUS_FS);
}

void arch_fence_code(void)
{
	__asm__ volatile("fence.i" : : : "memory");
}

bool arch_have_timer(void)
{
	return have_sstc;
}

bool arch_guest_fetch(const struct guest_context *guest, u32 *instruction)
{
	long low, high = 0;

	/* hstatus still has the guest's privilege, hgatp its memory. */
	csr_write(CSR_VSATP, guest->vsatp);
	low = guest_fetch_half(guest->sepc);
	if (low >= 0 && (low & 3) == 3)
		high = guest_fetch_half(guest->sepc + 2);
	/* As behind every trap: see arch_guest_enter(). */
	csr_write(CSR_VSATP, 0);
	*instruction = (u32)low | (u32)high << 16;
	return low >= 0 && high >= 0;
}

void arch_guest_load(const struct guest_context *guest,
		     const struct guest_space *space)
{
	/*
	 * Guest pages are written as data, on any hart, and the host may have
	 * run its own code from the same memory on this one before.
	 */
	arch_fence_code();
	csr_write(CSR_HEDELEG, GUEST_HEDELEG);
	csr_write(CSR_HIDELEG, GUEST_HIDELEG);
	csr_write(CSR_HCOUNTEREN, GUEST_COUNTERS);
	csr_write(CSR_HENVCFG, have_sstc ? HENVCFG_STCE : 0);
	if (have_stateen)
		csr_write(CSR_HSTATEEN0, GUEST_STATEEN0 |
					 (guest->vgein ? HSTATEEN0_AIA : 0));
	csr_write(CSR_HTIMEDELTA, space->timedelta);
	csr_write(CSR_HGATP, HGATP_MODE_SV48X4 |
			     (u64)space->vmid << HGATP_VMID_SHIFT |
			     space->root >> PAGE_SHIFT);
	load_fp(guest);
	vector_load(guest->vector);
}

void arch_guest_put(struct guest_context *guest)
{
	csr_write(CSR_HGATP, 0);
	put_fp(guest);
	vector_put(guest->vector);
}

void arch_guest_fence(u16 vmid)
{
	/* hfence.gvma x0, vmid: all guest-physical translations of the VMID */
	__asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, %0"
			 : : "r"((u64)vmid) : "memory");
	/* hfence.vvma x0, x0: all virtual ones of the VMID in hgatp */
	__asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" : : : "memory");
}

static void load_vs_csrs(const struct guest_context *guest)
{
	csr_write(CSR_VSSTATUS, guest->vsstatus);
	csr_write(CSR_VSIE, guest->vsie);
	csr_write(CSR_VSTVEC, guest->vstvec);
	csr_write(CSR_VSSCRATCH, guest->vsscratch);
	csr_write(CSR_VSEPC, guest->vsepc);
	csr_write(CSR_VSCAUSE, guest->vscause);
	csr_write(CSR_VSTVAL, guest->vstval);
	csr_write(CSR_VSATP, guest->vsatp);
	csr_write(CSR_HVIP, guest->hvip | guest->external);
	csr_write(CSR_SCOUNTEREN, guest->scounteren);
	csr_write(CSR_SENVCFG, guest->senvcfg);
	if (have_stateen)
		csr_write(CSR_SSTATEEN0, guest->sstateen0);
	if (have_sstc)
		csr_write(CSR_VSTIMECMP, guest->vstimecmp);
	if (guest->vgein)
		csr_write(CSR_VSISELECT, guest->vsiselect);
}

static void save_vs_csrs(struct guest_context *guest)
{
	guest->vsstatus = csr_read(CSR_VSSTATUS);
	guest->vsie = csr_read(CSR_VSIE);
	guest->vstvec = csr_read(CSR_VSTVEC);
	guest->vsscratch = csr_read(CSR_VSSCRATCH);
	guest->vsepc = csr_read(CSR_VSEPC);
	guest->vscause = csr_read(CSR_VSCAUSE);
	guest->vstval = csr_read(CSR_VSTVAL);
	guest->vsatp = csr_read(CSR_VSATP);
	guest->hvip = csr_read(CSR_HVIP) & HVIP_VSSIP;
	guest->scounteren = csr_read(CSR_SCOUNTEREN);
	guest->senvcfg = csr_read(CSR_SENVCFG);
	if (have_stateen)
		guest->sstateen0 = csr_read(CSR_SSTATEEN0);
	if (have_sstc)
		guest->vstimecmp = csr_read(CSR_VSTIMECMP);
	if (guest->vgein)
		guest->vsiselect = csr_read(CSR_VSISELECT);
}

static void save_trap(struct guest_context *guest)
{
	guest->supervisor = !!(csr_read(CSR_SSTATUS) & SSTATUS_SPP);
	guest->scause = csr_read(CSR_SCAUSE);
	guest->stval = csr_read(CSR_STVAL);
	guest->htval = csr_read(CSR_HTVAL);
	guest->htinst = csr_read(CSR_HTINST);
}

void arch_guest_enter(struct guest_context *guest)
{
	u64 hstatus = csr_read(CSR_HSTATUS) & HSTATUS_VSXL;

	load_vs_csrs(guest);
	/* VTW: a WFI of the guest comes to the TSM instead of stopping a hart. */
	hstatus |= HSTATUS_SPV | HSTATUS_VTW;
	hstatus |= guest->supervisor ? HSTATUS_SPVP : 0;
	hstatus |= guest->vgein << HSTATUS_VGEIN_SHIFT;
	csr_write(CSR_HSTATUS, hstatus);
	csr_clear(CSR_SSTATUS, SSTATUS_SPP | SSTATUS_SPIE);
	csr_set(CSR_SSTATUS, guest->supervisor ? SSTATUS_SPP : 0);
	guest_switch(guest);
	save_trap(guest);
	save_vs_csrs(guest);
	/*
	 * In HS-mode vsatp may still be walked speculatively. With it gone the
	 * fence on the way out leaves nothing of the guest behind.
	 */
	csr_write(CSR_VSATP, 0);
	/* What is left over of the guest must not wait for M-mode to go. */
	csr_write(CSR_HTVAL, 0);
	csr_write(CSR_HTINST, 0);
}
