/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * TSM-driver: runs TSMs beside the host OS, all in HS-mode, each in its own
 * supervisor domain (CoVE deployment model 1).
 */
#ifndef TSMD_H
#define TSMD_H

/*
 * Before OpenSBI v1.7 an imported global may become a dynamic relocation
 * that fw_base.S does not apply; hidden symbols are resolved at link time.
 */
#pragma GCC visibility push(hidden)

#include <sbi/riscv_asm.h>
#include <sbi/riscv_barrier.h>
#include <sbi/riscv_encoding.h>
#include <sbi/riscv_locks.h>
#include <sbi/sbi_console.h>
#include <sbi/sbi_csr_detect.h>
#include <sbi/sbi_domain.h>
#include <sbi/sbi_ecall.h>
#include <sbi/sbi_ecall_interface.h>
#include <sbi/sbi_error.h>
#include <sbi/sbi_hart.h>
#include <sbi/sbi_hsm.h>
#include <sbi/sbi_ipi.h>
#include <sbi/sbi_scratch.h>
#include <sbi/sbi_string.h>
#include <sbi/sbi_trap.h>
#include <sbi/sbi_version.h>

#include "teecall.h"
#include "tsmd_asm.h"
#include "tsmd_csrs.h"
#include "tsmd_ranges.h"

#define TSMD_MAX_PMP	16

/** Where the boot information page holds the driver's own record */
#define TSMD_RECORD_OFFSET	2048

enum tsmd_state {
	/** Declared and loaded, has not said READY */
	TSMD_LOADED = 0,
	/** COVH calls go to it */
	TSMD_READY,
	/** It crashed or gave up; every call fails */
	TSMD_DEAD,
};

/** What the device tree says of a TSM domain, and what became of it */
struct tsmd_domain {
	enum tsmd_state state;
	u32 sdid;
	/** In tsmd_domains[] */
	u32 index;
	/** Address the TSM is entered at: to boot, and from READY for calls */
	unsigned long entry;
	struct tsmd_range tsm;
	struct tsmd_range pool;
	/** Shared with the TSM, in the last page of its region */
	struct tsm_boot_info *info;
	/**
	 * Ticks of CSR time that the TSM may keep a hart while an interrupt
	 * which the host has enabled waits there; 0: as long as it likes
	 */
	unsigned long watchdog;
	/** The part of its pool, and the interrupt files, that it has now */
	struct tsmd_ranges confidential;
};

/** What a hart gives one TSM to see: pmpcfg0 and pmpcfg2 of the image it loaded */
struct tsmd_view {
	unsigned long cfg[2];
};

/** Host values of the switched CSRs; written on TEECALL, read on TEERET */
struct tsmd_csrs {
#define TSMD_FIELD(name, number, value)	unsigned long name;
	TSMD_CSRS_ALL(TSMD_FIELD)
#undef TSMD_FIELD
};

/** State of one hart, written by that hart alone */
struct tsmd_hart {
	/** A TSM is current on this hart. First: tsmd_vector.S finds it */
	bool in_tsm;
	/** A COVH call of the host needs nothing but the switch */
	bool fast;
	/** The last call ended in RET_INTERRUPTED; its arguments are in host */
	bool interrupted;
	/** The hart is the host's: `boot` is valid, the PMP is the driver's */
	bool seen;
	u32 index;
	/** mstatus that a TSM is entered with */
	unsigned long tsm_mstatus;
	/** Frame that resumes the host */
	struct sbi_trap_context host;
	/** SSE is masked here, not by the host */
	bool sse_held;
	/** SSE events may wait for the host to be current again */
	bool sse_waits;
	/** The TSM inside has not said READY yet: there is no call to answer */
	bool booting;
	/** The hart has the H extension, Sstc, Smstateen, AIA, siselect, CTR */
	bool has_h;
	bool has_sstc;
	bool has_stateen;
	bool has_aia;
	bool has_select;
	bool has_ctr;
	/** One of those whose CSRs save_optional_csrs() takes */
	bool has_optional;
	u32 id;
	/**
	 * The TSM domain that is current, else the last one: set together by
	 * tsmd_turn_to(), so that a crossing has all of it at hand
	 */
	struct tsmd_domain *domain;
	const struct tsmd_view *view;
	/** Its SDID: all of a6 above the function */
	unsigned long sdid;
	/** Kind 0, its SDID, hart id as events have them */
	unsigned long event_tag;
	/** Events of this hart */
	struct tee_ring *ring;
	/** The stay in the TSM that the watchdog looks at, and how often it did */
	unsigned long watched;
	unsigned int looks;
	/** Generation of the isolation image that the PMP holds */
	unsigned long pmp_loaded;
	/** pmpcfg0 and pmpcfg2 of that image while the host is current */
	unsigned long cfg_host[2];
	/** By index of the domain */
	struct tsmd_view views[COVE_MAX_TSM_DOMAINS];
	/** What OpenSBI set up before the host could change it */
	struct {
		unsigned long medeleg;
		unsigned long mideleg;
		unsigned long menvcfg;
	} boot;
	struct tsmd_csrs csrs;
	/** Frame that enters a TSM; all but a0-a7, t0, tp stay zero */
	struct sbi_trap_context tsm;
};

_Static_assert(offsetof(struct tsmd_hart, in_tsm) == TSMD_HART_IN_TSM &&
	       offsetof(struct tsmd_hart, fast) == TSMD_HART_FAST &&
	       offsetof(struct tsmd_hart, host) == TSMD_HART_HOST &&
	       offsetof(struct tsmd_hart, tsm_mstatus) ==
	       TSMD_HART_TSM_MSTATUS &&
	       offsetof(struct tsmd_hart, index) == TSMD_HART_INDEX,
	       "tsmd_vector.S uses these offsets");

extern struct tsmd_domain tsmd_domains[COVE_MAX_TSM_DOMAINS];

/** Entries of tsmd_domains[] in use; 0 if none is declared, or one wrongly */
extern u32 tsmd_domain_count;

/** OpenSBI's domain of the host: the one of the boot hart */
extern const struct sbi_domain *tsmd_host;

extern struct tsmd_hart tsmd_harts[COVE_MAX_HARTS];
extern struct tee_ring tsmd_rings[COVE_MAX_HARTS];

/** OpenSBI's own trap vector, which tsmd_vector() goes on to */
extern unsigned long tsmd_next_vector;

/* tsmd_domain.c */

/** Where a hart's scratch space holds the pointer to its tsmd_harts[] entry */
extern unsigned long tsmd_hart_offset;

/**
 * State of the calling hart. By scratch space: OpenSBI's way from a hart id
 * to an index is a search, too slow for every trap.
 */
static inline struct tsmd_hart *tsmd_this_hart(void)
{
	return *(struct tsmd_hart **)sbi_scratch_offset_ptr(
		sbi_scratch_thishart_ptr(), tsmd_hart_offset);
}

/** Set up harts and rings; @return 0 or SBI_E* */
int tsmd_domain_init(void);

/** True if [start, end) touches the domain's memory: its TSM's, or its pool */
static inline bool tsmd_domain_meets(const struct tsmd_domain *domain,
				     unsigned long start, unsigned long end)
{
	return (start < domain->tsm.end && domain->tsm.start < end) ||
	       (start < domain->pool.end && domain->pool.start < end);
}

/** kind (0), sdid and hart of struct tee_event, as the one word they are */
static inline unsigned long tsmd_event_tag(u32 hart, u32 sdid)
{
	return (unsigned long)hart << 32 | (unsigned long)sdid << 16;
}

_Static_assert(offsetof(struct tee_event, kind) % sizeof(unsigned long) == 0 &&
	       offsetof(struct tee_event, sdid) ==
	       offsetof(struct tee_event, kind) + 2 &&
	       offsetof(struct tee_event, hart) ==
	       offsetof(struct tee_event, kind) + 4,
	       "tsmd_event_tag() is written over kind, sdid and hart");

/** Append an event with a tag that the caller has at hand */
static inline void tsmd_event_tagged(struct tsmd_hart *hart, unsigned long tag,
				     u32 kind, long error, unsigned long value,
				     unsigned long aux)
{
	struct tee_ring *ring = hart->ring;
	unsigned long head = ring->head;
	struct tee_event *e = &ring->events[head % TEE_RING_EVENTS];

	e->time = csr_read(CSR_TIME);
	e->instret = csr_read(CSR_MINSTRET);
	*(unsigned long *)&e->kind = tag | kind;
	/* Of the call under way, or of the last one */
	e->eid = hart->host.regs.a7;
	e->fid = hart->host.regs.a6;
	e->error = error;
	e->value = value;
	e->aux = aux;

	/* A reader of live memory must not see the count before the event. */
	smp_wmb();
	ring->head = head + 1;
}

/** Append an event to the ring of the calling hart */
static inline void tsmd_event(struct tsmd_hart *hart, u32 kind, long error,
			      unsigned long value, unsigned long aux)
{
	tsmd_event_tagged(hart,
			  hart->in_tsm ? hart->event_tag :
					 tsmd_event_tag(hart->id, 0),
			  kind, error, value, aux);
}

/**
 * Make the domain @p sdid the hart's: a call names its domain once, and from
 * then on it is hart->domain.
 *
 * @return 0, or SBI_ERR_NOT_SUPPORTED if there is no such domain
 */
long tsmd_turn_to(struct tsmd_hart *hart, unsigned long sdid);

/** What all of a6 above the function says: bits 32 and up must be zero */
static inline unsigned long tsmd_sdid_of(unsigned long a6)
{
	return a6 >> COVE_A6_SDID_SHIFT;
}

/** @return 0 if the hart's domain can take calls, else an error */
static inline long tsmd_check_ready(const struct tsmd_hart *hart)
{
	enum tsmd_state state = hart->domain->state;

	if (likely(state == TSMD_READY))
		return 0;
	return state == TSMD_DEAD ? SBI_ERR_FAILED : SBI_ERR_NOT_SUPPORTED;
}

/**
 * Mark the TSM that the hart is in dead on all harts. Several may find it dying
 * at once (a fault, a panic, the watchdog): @return true on the one that reports
 * the death with tsmd_bury(), false on the others, which leave with
 * tsmd_tsm_left()
 */
bool tsmd_die(struct tsmd_hart *hart);

/**
 * Make all harts leave the TSM that @p hart is in, which has died there, and
 * say @p why. Other TSMs and the host go on.
 */
void tsmd_bury(struct tsmd_hart *hart, const char *why);

/** @return true if the TSM that the hart is in has died, on whatever hart */
static inline bool tsmd_is_dead(const struct tsmd_hart *hart)
{
	/* Not earlier than an IPI that said so was served. */
	return __atomic_load_n(&hart->domain->state, __ATOMIC_ACQUIRE) ==
	       TSMD_DEAD;
}

/* tsmd_boot.c */

/**
 * Look for TSM domains, the first time it is called. OpenSBI registers its
 * SBI extensions in no particular order, so each of the driver's asks.
 */
bool tsmd_boot_init(void);

/** A TSM has booted or failed to: enter the next one, or start the host */
struct sbi_trap_context *tsmd_boot_next(struct tsmd_hart *hart);

/* tsmd_fdt.c */

/**
 * Read the TSM domains, their memory and pools from the device tree.
 *
 * @return number of domains, 0 if none is declared, SBI_E* if one is wrong
 */
int tsmd_fdt_parse(void);

/** True if all of [start, start + size) is RAM */
bool tsmd_fdt_is_ram(unsigned long start, unsigned long size);

/* tsmd_imsic.c */

/**
 * Find the supervisor-level interrupt files in the device tree, and tell the
 * TSM of them. A machine without guest interrupt files leaves all at zero.
 */
void tsmd_imsic_parse(const void *fdt, struct tsm_boot_info *info);

/** The page is a guest interrupt file of a hart */
bool tsmd_imsic_is_guest_file(unsigned long page);

/* tsmd_pmp.c */

/** Lay out the PMP for the host's regions and the TSMs */
int tsmd_pmp_init(void);

/** Entries that confidential ranges of all domains may use together */
unsigned int tsmd_pmp_capacity(void);

/**
 * Close a page of the booting TSM's region to the TSM itself, on each hart another:
 * @p guard + hart index * @p stride. Before other harts run the host.
 *
 * @return 0, or COVE_ERR_ when a page lies elsewhere or is not a page
 */
int tsmd_pmp_set_guard(struct tsmd_hart *hart, unsigned long guard,
		       unsigned long stride);

/** True if @p addr is in the guard page of this hart's TSM stack */
bool tsmd_pmp_is_guard(const struct tsmd_hart *hart, unsigned long addr);

/** Publish a new image of the domains' sets; the caller holds the memory lock */
void tsmd_pmp_publish(void);

/** Load the newest image into this hart's PMP if it is not there yet */
void tsmd_pmp_refresh(struct tsmd_hart *hart);

/** Wait until every running hart of the host has loaded the newest image */
void tsmd_pmp_sync(struct tsmd_hart *hart);

/**
 * Harts by index that run the host, or may without loading the newest image
 * first. A hart that is not among them does so, and fences, when it starts.
 */
unsigned long tsmd_pmp_running_harts(void);

/* tsmd_memory.c */

int tsmd_memory_init(void);
int tsmd_memory_assign(struct tsmd_hart *hart, unsigned long base,
		       unsigned long pages);
int tsmd_memory_release(struct tsmd_hart *hart, unsigned long base,
			unsigned long pages);

/** Answer INFO; @return 0 or COVE_ERR_ */
long tsmd_memory_info(struct tsmd_hart *hart, unsigned long kind,
		      unsigned long *value);

/** Register (or with base 0 forget) the NACL pages of a hart */
int tsmd_memory_set_nacl(struct tsmd_hart *hart, unsigned long base);

/** True if [start, end) touches memory that is not the host's */
bool tsmd_memory_denied(unsigned long start, unsigned long end);

/** True if [start, end) touches memory that is or may become confidential */
bool tsmd_memory_in_pool(unsigned long start, unsigned long end);

/** Make all other harts of the host pass through M-mode soon */
void tsmd_memory_poke_harts(void);

/* tsmd_record.c */

/** Keep the domain's set where it survives a reset of the harts */
void tsmd_record_write(const struct tsmd_domain *domain);

/** Zero what was confidential before a reset; before host or TSM first run */
void tsmd_record_scrub(const struct tsmd_domain *domain);

/* tsmd_switch.c */

/** Save the host of @p regs and return the frame that enters hart->domain's TSM */
struct sbi_trap_context *tsmd_enter(struct tsmd_hart *hart,
				    const struct sbi_trap_regs *regs);

/** Restore the host's CSRs and return the frame that resumes it */
struct sbi_trap_context *tsmd_leave(struct tsmd_hart *hart);

/* tsmd_sse.c */

/** OpenSBI is to handle a trap while the TSM is current: no event now */
void tsmd_sse_hold(struct tsmd_hart *hart);

/** It has; what came with it waits for the host */
void tsmd_sse_let_go(struct tsmd_hart *hart);

/** The host is back: what waits for it changes its registers in hart->host */
void tsmd_sse_deliver(struct tsmd_hart *hart);

/* tsmd_call.c */

/** A COVH or COVI call of the host */
struct sbi_trap_context *tsmd_teecall(struct tsmd_hart *hart,
				      struct sbi_trap_context *tcntx);

/** An SBI call of the TSM */
struct sbi_trap_context *tsmd_tsm_call(struct tsmd_hart *hart,
				       struct sbi_trap_context *tcntx);

/** The TSM itself trapped: it is dead, its caller gets FAILED */
struct sbi_trap_context *tsmd_tsm_fault(struct tsmd_hart *hart,
					struct sbi_trap_context *tcntx);

/** The TSM does not give the hart back: it is dead, its caller gets FAILED */
struct sbi_trap_context *tsmd_tsm_hang(struct tsmd_hart *hart,
				       struct sbi_trap_context *tcntx);

/** The TSM died on another hart while it had this one: say where, give up */
struct sbi_trap_context *tsmd_tsm_left(struct tsmd_hart *hart,
				       struct sbi_trap_context *tcntx);

/** End the call under way with FAILED; the TSM is dead */
struct sbi_trap_context *tsmd_give_up(struct tsmd_hart *hart);

/* tsmd_watchdog.c */

/** Find out how often to look: as the domain with the shortest limit needs it */
void tsmd_watchdog_init(void);

/** Ticks between two looks at a hart; 0 if no domain has a limit */
extern unsigned long tsmd_watchdog_period;

/** Let the machine timer look after this hart; nothing if there is no limit */
void tsmd_watchdog_start(struct tsmd_hart *hart);

/**
 * The machine timer has interrupted the hart: look, and come again.
 *
 * @return true if the TSM has kept the hart for longer than it may
 */
bool tsmd_watchdog_look(struct tsmd_hart *hart);

/* tsmd_vector.S */

/** Trap vector in front of OpenSBI's */
void tsmd_vector(void);

/* tsmd_enter.S */

/** Zero all FP registers and fcsr; needs mstatus.FS on */
void tsmd_zero_fp(void);

/** Zero all vector registers, vcsr and vstart; needs mstatus.VS on */
void tsmd_zero_v(void);

/** Load all registers from @p regs and mret */
void __attribute__((noreturn)) tsmd_mret(const struct sbi_trap_regs *regs);

#endif
