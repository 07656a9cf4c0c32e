/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * As much of OpenSBI and of a hart as the driver needs to run on a
 * workstation. Included before each of its files; OpenSBI's own headers are
 * empty files there.
 */
#ifndef FAKE_H
#define FAKE_H

/* The system's own headers use the keywords that are defined away below. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define __riscv_xlen		64
#define OPENSBI_VERSION_MAJOR	1
#define OPENSBI_VERSION_MINOR	6

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)

/* Instructions that only a hart has; what they do is not looked at. */
#define __asm__
#define __volatile__(...)	((void)0)

enum { PRV_U = 0, PRV_S = 1, PRV_M = 3 };
#define MSTATUS_MPP_SHIFT	11
#define MSTATUS_MPP		(3UL << MSTATUS_MPP_SHIFT)
#define MSTATUS_MPV		(1UL << 39)
#define MSTATUS_UXL		(3UL << 32)
#define MSTATUS_SXL		(3UL << 34)
#define MSTATUS_FS		(3UL << 13)
#define MSTATUS_VS		(3UL << 9)
#define MIP_VSTIP		(1UL << 6)
#define MIP_MTIP		(1UL << 7)
#define ENVCFG_STCE		(1UL << 63)
#define MCAUSE_IRQ_MASK		(1UL << 63)
#define CAUSE_LOAD_ACCESS	5
#define CAUSE_SUPERVISOR_ECALL	9
#define IRQ_M_SOFT		3
#define IRQ_M_TIMER		7

#define CSR_MSTATUS		0x300
#define CSR_MIE			0x304
#define CSR_MENVCFG		0x30a
#define CSR_HVIP		0x645
#define CSR_PMPCFG0		0x3a0
#define CSR_PMPCFG2		0x3a2
#define CSR_PMPADDR0		0x3b0
#define CSR_TIME		0xc01
#define CSR_MINSTRET		0xb02
#define PMP_R			1
#define PMP_W			2
#define PMP_X			4
#define PMP_A_TOR		8
#define PMP_A_NAPOT		0x18
#define PMP_SHIFT		2

/** CSRs of the calling thread, which is a hart */
extern _Thread_local unsigned long fake_csr[4096];
/** Called before each PMP address is written, with its index */
void fake_pmpaddr(int index);

static inline unsigned long fake_swap(int number, unsigned long value)
{
	unsigned long old = fake_csr[number];

	fake_csr[number] = value;
	return old;
}

#define csr_read(number)		(fake_csr[number])
#define csr_write(number, value)	((void)fake_swap(number, (unsigned long)(value)))
#define csr_swap(number, value)		fake_swap(number, (unsigned long)(value))
#define csr_set(number, bits)		csr_write(number, csr_read(number) | (bits))
#define csr_read_clear(number, bits)	fake_swap(number, fake_csr[number] & ~(bits))

#define misa_extension(letter)		((letter) == 'D')

static inline void csr_write_num(int number, unsigned long value)
{
	fake_pmpaddr(number - CSR_PMPADDR0);
	fake_csr[number] = value;
}

/** Called in place of the barriers */
void fake_wmb(void);
void fake_rmb(void);
#define smp_wmb()	fake_wmb()
#define smp_rmb()	fake_rmb()
#define smp_mb()	__sync_synchronize()

typedef int spinlock_t;
#define SPIN_LOCK_INITIALIZER	0
#define spin_trylock(lock)	(!__sync_lock_test_and_set(lock, 1))
#define spin_unlock(lock)	__sync_lock_release(lock)

/* What the driver wraps; nothing calls it by this name. */
struct sbi_trap_context;
struct sbi_domain;
struct sbi_trap_context *sbi_trap_handler(struct sbi_trap_context *tcntx);
bool sbi_domain_check_addr(const struct sbi_domain *dom, unsigned long addr,
			   unsigned long mode, unsigned long flags);
bool sbi_domain_check_addr_range(const struct sbi_domain *dom,
				 unsigned long addr, unsigned long size,
				 unsigned long mode, unsigned long flags);
int sbi_dbtr_get_total_triggers(void);
int sbi_sse_register(u32 event, unsigned long pc, unsigned long arg);

struct sbi_scratch;
struct sbi_trap_regs {
	unsigned long zero, ra, sp, gp, tp, t0, t1, t2, s0, s1;
	unsigned long a0, a1, a2, a3, a4, a5, a6, a7;
	unsigned long s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
	unsigned long t3, t4, t5, t6, mepc, mstatus;
};
struct sbi_trap_info {
	unsigned long cause, tval;
};
struct sbi_trap_context {
	struct sbi_trap_regs regs;
	struct sbi_trap_info trap;
};

struct sbi_domain_memregion {
	unsigned long order, base, flags;
};
#define SBI_DOMAIN_MEMREGION_SU_READABLE	1
#define SBI_DOMAIN_MEMREGION_SU_WRITABLE	2
#define SBI_DOMAIN_MEMREGION_SU_EXECUTABLE	4
struct sbi_domain {
	struct sbi_domain_memregion *regions;
};

#define SBI_ENOTSUPP		(-2)
#define SBI_EINVAL		(-3)
#define SBI_ENOMEM		(-1000)
#define SBI_ENOSPC		(-1004)
#define SBI_ERR_NOT_SUPPORTED	(-2)
#define SBI_ERR_INVALID_ADDRESS	(-5)
#define SBI_ERR_FAILED		(-1)

enum { SBI_HART_EXT_SMEPMP };
enum { SBI_HSM_STATE_STARTED, SBI_HSM_STATE_STOPPED, SBI_HSM_STATE_SUSPENDED,
       SBI_HSM_STATE_RESUME_PENDING };
enum { SBI_IPI_UPDATE_SUCCESS, SBI_IPI_UPDATE_BREAK };
#define SBI_IPI_EVENT_MAX	64
struct sbi_ipi_event_ops {
	char name[32];
	int (*update)(struct sbi_scratch *scratch, struct sbi_scratch *remote,
		      u32 remote_hartindex, void *data);
	void (*sync)(struct sbi_scratch *scratch);
	void (*process)(struct sbi_scratch *scratch);
};

/** The calling thread's entry of tsmd_harts[] */
extern _Thread_local void *fake_hart;
#define sbi_scratch_thishart_ptr()		((struct sbi_scratch *)0)
#define sbi_scratch_offset_ptr(scratch, offset)	((void)(offset), &fake_hart)
#define sbi_hart_has_extension(scratch, what)	((void)(scratch), false)
#define sbi_hartindex_to_scratch(index)		((void)(index), (void *)0)
#define sbi_hartindex_to_hartid(index)		(index)
#define sbi_scratch_alloc_offset(size)		((unsigned long)(size))
#define sbi_hartindex_to_domain(index)		((void)(index), (void *)0)
#define __sbi_hsm_hart_get_state(index)		((void)(index), 0)
#define sbi_ipi_event_create(ops)		((void)(ops), 0)
#define sbi_ipi_send_many(mask, base, event, data)	((void)(event))
#define sbi_ipi_process()			((void)0)
#define sbi_memcpy				memcpy
int sbi_printf(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/** Called before each exchange, which is what decides between two harts */
void fake_exchange(void);
#define __atomic_exchange_n(at, value, order)	\
	(fake_exchange(), (__atomic_exchange_n)(at, value, order))

#endif
