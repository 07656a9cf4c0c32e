/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that the TSM's logic knows of the machine. arch/ implements it for the
 * hart, tests/fake.c for the workstation.
 */
#ifndef TSM_ARCH_H
#define TSM_ARCH_H

#include "abi/teecall.h"
#include "lib/lib.h"
#include "task/io.h"

#ifdef TSM_WORKSTATION
void *phys_to_virt(u64 pa);

/** Index of this hart, 0 to hart_count - 1 */
unsigned int arch_hart(void);

/** Zero the cache block at this address, which is a multiple of its size */
void arch_zero_block(void *block);
#else
/** The TSM runs with satp = 0: physical addresses are pointers. */
static inline void *phys_to_virt(u64 pa)
{
	return (void *)pa;
}

/** M-mode passes the index in tp, and the TSM leaves it there. */
static inline unsigned int arch_hart(void)
{
	unsigned long hart;

	__asm__ volatile("mv %0, tp" : "=r"(hart));
	return hart;
}

/** cbo.zero, as a number: not every assembler knows Zicboz. */
static inline void arch_zero_block(void *block)
{
	__asm__ volatile(".insn i 0x0f, 2, x0, %0, 4" : : "r"(block)
			 : "memory");
}
#endif

u64 arch_time(void);
u64 arch_instret(void);

/** An interrupt that the host has enabled waits on this hart */
bool arch_interrupt_pending(void);

/** First physical address behind the TSM's image */
u64 arch_image_end(void);

/**
 * Look for what the TSM needs of the hart.
 *
 * @param info what M-mode says of it
 * @return NULL, or the name of what is missing
 */
const char *arch_probe(const struct tsm_boot_info *info);

/*
 * The private extension TSM -> M-mode (rdsm-tsm.md section 1).
 */

/** Make host memory confidential on all harts; @return COVE_ error */
s64 tsmd_assign(u64 base, u64 pages);

/** Give scrubbed memory back to the host; @return COVE_ error */
s64 tsmd_release(u64 base, u64 pages);

/**
 * Harts that may run host code, bit n for hart index n. A hart that is not
 * among them fences in M-mode before its next instruction of the host.
 */
u64 tsmd_harts_running(void);

void __attribute__((noreturn)) tsmd_ready(u64 version);
void __attribute__((noreturn)) tsmd_panic(const char *text, size_t length);

/** What the host gets for its call */
struct answer {
	/** The hart goes back to the host before the call is done */
	bool interrupted;
	/** scause and stval are to be written */
	bool cause_valid;
	s64 error;
	u64 value;
	u64 scause;
	u64 stval;
};

void __attribute__((noreturn)) tsmd_ret(const struct answer *answer);
void __attribute__((noreturn)) tsmd_ret_interrupted(void);

/**
 * Everything of a vCPU that lives in the hart while it runs. Its start is laid
 * out for guest.S.
 */
struct guest_context {
	/** x1 to x31; gpr[0] is not used */
	u64 gpr[32];
	u64 sepc;
	/** Where the TSM goes on after the guest's trap */
	u64 tsm_sp;
	u64 tsm_tp;

	/** The guest runs in VS, not VU */
	u64 supervisor;
	/** Of the last trap, read only once */
	u64 scause;
	u64 stval;
	u64 htval;
	u64 htinst;

	u64 vsstatus;
	u64 vsie;
	u64 vstvec;
	u64 vsscratch;
	u64 vsepc;
	u64 vscause;
	u64 vstval;
	u64 vsatp;
	u64 vstimecmp;
	/** Only VSSIP: the guest's own software interrupt */
	u64 hvip;
	/** VSEIP while the host wants it and the guest allows it */
	u64 external;
	/** Govern VU while V = 1, so they are the guest's */
	u64 scounteren;
	u64 senvcfg;
	u64 sstateen0;
	/** Guest interrupt file that is the vCPU's, 0 if none, and its selector */
	u64 vgein;
	u64 vsiselect;

	/** f0 to f31 and fcsr */
	u64 fp[33];
	/** V registers, arch_vector_size() bytes */
	void *vector;
};

/** The TVM as the hart sees it */
struct guest_space {
	/** Physical address of the G-stage root, 16 KiB */
	u64 root;
	/** Never 0 */
	u16 vmid;
	u64 timedelta;
};

/** Bytes that a vCPU's V registers take; 0 if guests have none */
size_t arch_vector_size(void);

/**
 * A vCPU that was never run: VS-mode, satp = 0, all registers but these 0. Its
 * user mode may read the counters.
 * @param vector room for its V registers, any alignment of 8
 */
void arch_guest_init(struct guest_context *guest, void *vector, u64 pc, u64 a0,
		     u64 a1);

/** Put the TVM's address space, counters, FP and V registers on this hart */
void arch_guest_load(const struct guest_context *guest,
		     const struct guest_space *space);

/** Forget all translations of this VMID on this hart; hgatp must hold it */
void arch_guest_fence(u16 vmid);

/** Code that the guest has written may be fetched on this hart */
void arch_fence_code(void);

/** Guests have a timer of their own (Sstc) */
bool arch_have_timer(void);

/**
 * Read the instruction that has just trapped, as the guest could fetch it.
 * @param instruction its 32 bits, or the 16 of a compressed one
 * @return false if the guest cannot fetch it any more
 */
bool arch_guest_fetch(const struct guest_context *guest, u32 *instruction);

/** Run the vCPU until it traps */
void arch_guest_enter(struct guest_context *guest);

/** Take FP and V registers and address space off this hart */
void arch_guest_put(struct guest_context *guest);

/*
 * Guest interrupt files (AIA). A file belongs to a hart, and only that hart
 * reaches its registers; all harts reach its page, where MSIs arrive.
 */

#define INTERRUPT_WORDS	((COVE_MAX_INTERRUPT_ID + 1) / 64)

/** What an interrupt file holds */
struct interrupt_file {
	u64 delivery;
	u64 threshold;
	/** By identity */
	u64 pending[INTERRUPT_WORDS];
	u64 enabled[INTERRUPT_WORDS];
};

/** Guest interrupt files of each hart (GEILEN); 0 without AIA */
unsigned int arch_guest_files(void);

/**
 * Put these values in a file of this hart, whatever it held.
 * @param ids largest identity that the file has
 */
void arch_file_load(unsigned int number, const struct interrupt_file *file,
		    u64 ids);

/** Take the values out of a file of this hart, which is empty and off then */
void arch_file_put(unsigned int number, struct interrupt_file *file, u64 ids);

/** A file of this hart has an interrupt for its guest */
bool arch_file_waits(unsigned int number);

/** An MSI to the interrupt file at this page; it is there when this returns */
void arch_send_msi(u64 page, u32 id);

/*
 * The U-mode task (task/): code in which a mistake cannot touch the TSM. It
 * sees a few pages of its own and nothing else, and the host's interrupts end
 * its turn. There are several, each with memory of its own.
 */

#define ARCH_TASKS	8

/** How a turn of a task has ended */
enum task_end {
	TASK_DONE,
	/** The same again later goes on where it was, on any hart */
	TASK_INTERRUPTED,
	/** It did what it may not; there is nothing to go on with */
	TASK_CRASHED,
};

/** Clear a task's memory, so that nothing of its last run is left in it */
void arch_task_wipe(unsigned int task);

/** Get a wiped task ready to run from its start; @return what it works on */
struct task_io *arch_task_start(unsigned int task);

/** What a task that was started works on */
struct task_io *arch_task_memory(unsigned int task);

/** @param cause scause of the trap that has ended the turn */
enum task_end arch_task_run(unsigned int task, u64 *cause);

#endif
