/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A few lines of test runner, and the machine that the TSM's logic believes
 * in: a gigabyte of RAM of which only touched pages exist, an M-mode that can
 * be told to refuse, and guests that are functions.
 */
#ifndef TSM_TEST_H
#define TSM_TEST_H

#include "arch/arch.h"
#include "call/call.h"
#include "mem/mem.h"
#include "run/run.h"
#include "trace/trace.h"
#include "tvm/tvm.h"

/* The machine of the default configuration, with a smaller pool. */
#define RAM_BASE	0x80000000UL
#define RAM_SIZE	0x40000000UL
#define FIRMWARE_BASE	0x80000000UL
#define FIRMWARE_SIZE	0x200000UL
#define TSM_BASE	0x8f000000UL
#define TSM_SIZE	0x1000000UL
#define POOL_BASE	0x90000000UL
#define POOL_PAGES	1024UL
#define POOL_SIZE	(POOL_PAGES * PAGE_SIZE)
/* Plain host RAM, outside of the pool */
#define HOST_BASE	0x84000000UL
/* Supervisor-level interrupt file of hart index 0, and the way to the next */
#define FAKE_IMSIC		0x28000000UL
#define FAKE_IMSIC_STRIDE	0x8000UL
#define NACL_BASE	0x85000000UL

struct test {
	const char *name;
	void (*run)(void);
};

/** Each file's tests, ended by a NULL name */
extern const struct test page_tests[], fence_tests[], gstage_tests[],
	measure_tests[], call_tests[], life_tests[], run_tests[],
	vmid_tests[],
	sbi_tests[], long_tests[], drop_tests[], stop_tests[], lib_tests[],
	region_tests[], mmio_tests[], share_tests[], hart_tests[],
	long_range_tests[], console_tests[], random_tests[], attest_tests[],
	attest_many_tests[], task_tests[], covi_tests[], msi_tests[], scrub_tests[];

/** Note a failure and leave the test */
void test_fail(const char *file, int line, const char *what, s64 got,
	       s64 wanted) __attribute__((noreturn));

#define check_equal(got, wanted) do {					\
	s64 got_ = (s64)(got), wanted_ = (s64)(wanted);			\
	if (got_ != wanted_)						\
		test_fail(__FILE__, __LINE__, #got, got_, wanted_);	\
} while (0)

#define check_true(condition)	check_equal(!!(condition), 1)

/** When a watcher looks at what the TSM has done */
enum look {
	/** A call begins */
	LOOK_BEGIN,
	/** The TSM asks for interrupts */
	LOOK_POLL,
	/** The call is back */
	LOOK_END,
};

/** More VMIDs than the TSM has slots */
#define FAKE_VMIDS	128
/** A root that is none of the TSM's: that of a guest of the host's own */
#define FAKE_HOST_ROOT	1UL

/** What happened to the guest's address space on a hart */
enum fake_step {
	FAKE_LOAD,
	FAKE_FENCE,
	FAKE_ENTRY,
	FAKE_PUT,
};

/** What the machine does, reset before each test */
struct fake {
	unsigned int hart;
	u64 time;
	/** Answers of M-mode */
	s64 assign_error;
	s64 release_error;
	unsigned int assigns;
	unsigned int releases;
	/** The U-mode task: turns that are interrupted, and what it does then */
	unsigned int task_interrupts;
	bool task_crashes;
	/** It says that its result has this size, and does nothing else */
	u64 task_size;
	/** Happens once while a task is at work; may be NULL */
	void (*task_works)(void);
	unsigned int task_starts;
	unsigned int task_wipes;
	/** Harts that do not run, by bit, and how often the TSM has asked */
	u64 stopped;
	unsigned int asked;
	/** Range of the last ASSIGN or RELEASE */
	u64 moved_base;
	u64 moved_pages;
	/** Polls until an interrupt is pending; 0 = never */
	unsigned int interrupt_after;
	/** One is pending at every poll */
	bool interrupt_always;
	unsigned int polls;
	/** Watches the TSM at work; may be NULL */
	void (*look)(enum look when);
	unsigned int fences;
	/** Loaded address space */
	struct guest_space space;
	bool loaded;
	/** Bytes that cbo.zero zeroes, 0 without Zicboz, and how often it did */
	u64 block_size;
	u64 blocks_zeroed;
	/** Bytes of V registers that guests have */
	size_t vector_size;
	/** Runs instead of the guest */
	void (*guest)(struct guest_context *guest);
	unsigned int guest_entries;
	/** What is at the guest's pc when it has trapped */
	u32 instruction;
	bool fetch_fails;
	/** Harts have no Sstc */
	bool no_timer;
	/** Guest interrupt files of each hart, what they hold, and the last MSI */
	unsigned int files;
	struct interrupt_file file[COVE_MAX_HARTS][8];
	u64 msi_page;
	u32 msi;
	/** What each hart has cached: the root whose translations, by VMID */
	u64 cached[COVE_MAX_HARTS][FAKE_VMIDS];
	/** Fences so far, as FAKE_ENTRY or the kind of fence, oldest first */
	unsigned int steps;
	enum fake_step step[16];
};

extern struct fake fake;
extern struct tsm_boot_info fake_info;

/** A machine that has just booted the TSM */
void fake_boot(void);

/** Boot the TSM's scrubbing again, on harts with such cache blocks; 0: none */
void fake_zicboz(u64 block_size);

/** The same, of a machine whose harts have this many guest interrupt files */
void fake_boot_aia(unsigned int files);

/** A TEECALL on the current hart */
struct answer teecall(u64 fid, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);

/** The same of another extension */
struct answer teecall_of(u64 eid, u64 fid, u64 a0, u64 a1, u64 a2);

/** The same call again, as M-mode does after an interruption */
struct answer teecall_again(void);

#define covh(name, ...)	covh_(COVE_COVH_##name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define covh_(fid, a0, a1, a2, a3, a4, a5, ...)				\
	teecall(fid, a0, a1, a2, a3, a4, a5)

/* steps.c: what many tests begin with */

/** Convert pages and fence on both harts; they are unassigned afterwards */
void give_pages(u64 base, u64 pages);

/** Layout that build_tvm() makes in the pool, from its base up */
#define AT_DIRECTORY	POOL_BASE
#define AT_STATE	(POOL_BASE + 4 * PAGE_SIZE)
#define AT_VCPU		(POOL_BASE + 5 * PAGE_SIZE)
#define AT_TABLES	(POOL_BASE + 6 * PAGE_SIZE)
#define AT_DATA		(POOL_BASE + 16 * PAGE_SIZE)
#define BUILD_PAGES	64UL
#define GUEST_BASE	0x80200000UL
#define GUEST_SIZE	0x200000UL
#define GUEST_ARG	0x1122334455667788UL

/** create_tvm from unassigned pages; @return the id */
u64 create_tvm(void);

/**
 * A call that is refused with COVE_ERR_INVALID_PARAM and still makes the hart
 * drop its open call
 */
struct answer other_call(void);

/** A TVM with region, tables, vCPU and two measured pages, not finalized */
u64 build_tvm(void);

/** The same, finalized, with NACL on both harts */
u64 start_tvm(void);

/**
 * From now on a call that works on more pages than rdsm-tsm.md section 3
 * allows between two polls fails the test.
 */
void watch_bounds(void);

/** NACL memory of the current hart */
struct nacl *test_nacl(void);

#endif
