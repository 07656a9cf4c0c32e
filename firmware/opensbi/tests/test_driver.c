/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the driver does between two harts and for a host that means harm: its
 * files run here as they are, with a thread in the place of the second hart.
 */

#include "tsmd.h"

#define POOL		0x90000000UL
#define POOL_SIZE	0x10000000UL
#define POOL_OF(domain)	(POOL + (domain) * POOL_SIZE)
#define TSM_SIZE	0x1000000UL
#define TSM(domain)	(0x8f000000UL - (domain) * TSM_SIZE)
#define PAGE(n)		(POOL + (unsigned long)(n) * TSMD_PAGE_SIZE)
#define SPINS		8
#define PMP_ENTRIES	16

unsigned long tsmd_watchdog_period;

_Thread_local unsigned long fake_csr[4096];
_Thread_local void *fake_hart;

#define GUEST_FILE	0x28001000UL

static unsigned int passed, failed;
static struct tsm_boot_info info[COVE_MAX_TSM_DOMAINS];

/* In the place of tsmd_imsic.c, which reads a device tree */
bool tsmd_imsic_is_guest_file(unsigned long page)
{
	return page == GUEST_FILE || page == GUEST_FILE + TSMD_PAGE_SIZE;
}

static void check(int ok, const char *what, int line)
{
	passed += !!ok;
	failed += !ok;
	if (!ok)
		printf("test_driver.c:%d: %s\n", line, what);
}

#define CHECK(condition)	check(condition, #condition, __LINE__)

/* What is called at the barriers and at PMP writes, once each. */
static void (*at_wmb)(void);
static int wmb_until;
static _Thread_local void (*at_rmb)(void);
static _Thread_local int rmb_until;
static void (*at_pmpaddr)(void);
/* Barriers of the reading thread, and whether it came to an end */
static int spins, returned;

void fake_wmb(void)
{
	void (*hook)(void) = at_wmb;

	__sync_synchronize();
	if (!hook || --wmb_until)
		return;
	at_wmb = NULL;
	hook();
}

void fake_rmb(void)
{
	void (*hook)(void) = at_rmb;

	__sync_synchronize();
	__sync_fetch_and_add(&spins, 1);
	if (!hook || --rmb_until)
		return;
	at_rmb = NULL;
	hook();
}

void fake_pmpaddr(int index)
{
	void (*hook)(void) = at_pmpaddr;

	if (!hook || index != 5)
		return;
	at_pmpaddr = NULL;
	hook();
}

/* The rest of OpenSBI and of the driver. */
static int real_traps, teecalls;

void fake_exchange(void)
{
}

int sbi_printf(const char *format, ...)
{
	(void)format;
	return 0;
}

void tsmd_record_write(const struct tsmd_domain *domain)
{
	(void)domain;
}

bool tsmd_boot_init(void)
{
	return tsmd_domain_count;
}

unsigned int sbi_hart_pmp_count(struct sbi_scratch *scratch)
{
	(void)scratch;
	return PMP_ENTRIES;
}

unsigned int sbi_hart_pmp_log2gran(struct sbi_scratch *scratch)
{
	(void)scratch;
	return 2;
}

struct sbi_trap_context *__real_sbi_trap_handler(struct sbi_trap_context *tcntx);
struct sbi_trap_context *__wrap_sbi_trap_handler(struct sbi_trap_context *tcntx);
struct sbi_trap_context *__real_sbi_trap_handler(struct sbi_trap_context *tcntx)
{
	real_traps++;
	return tcntx;
}

struct sbi_trap_context *tsmd_teecall(struct tsmd_hart *hart,
				      struct sbi_trap_context *tcntx)
{
	(void)hart;
	teecalls++;
	return tcntx;
}

#define UNUSED_TRAP(name)						\
struct sbi_trap_context *name(struct tsmd_hart *hart,			\
			      struct sbi_trap_context *tcntx)		\
{									\
	(void)hart;							\
	return tcntx;							\
}
UNUSED_TRAP(tsmd_tsm_call)
UNUSED_TRAP(tsmd_tsm_fault)
UNUSED_TRAP(tsmd_tsm_hang)

void tsmd_sse_hold(struct tsmd_hart *hart)
{
	(void)hart;
}

void tsmd_sse_let_go(struct tsmd_hart *hart)
{
	(void)hart;
}

bool tsmd_watchdog_look(struct tsmd_hart *hart)
{
	(void)hart;
	return false;
}

struct sbi_trap_context *tsmd_tsm_left(struct tsmd_hart *hart,
				       struct sbi_trap_context *tcntx)
{
	(void)tcntx;
	return &hart->host;
}

struct sbi_trap_context *tsmd_give_up(struct tsmd_hart *hart)
{
	return &hart->host;
}

bool __real_sbi_domain_check_addr(const struct sbi_domain *dom,
				  unsigned long addr, unsigned long mode,
				  unsigned long flags);
bool __real_sbi_domain_check_addr(const struct sbi_domain *dom,
				  unsigned long addr, unsigned long mode,
				  unsigned long flags)
{
	(void)dom, (void)addr, (void)mode, (void)flags;
	return true;
}

bool __real_sbi_domain_check_addr_range(const struct sbi_domain *dom,
					unsigned long addr, unsigned long size,
					unsigned long mode, unsigned long flags);
bool __real_sbi_domain_check_addr_range(const struct sbi_domain *dom,
					unsigned long addr, unsigned long size,
					unsigned long mode, unsigned long flags)
{
	(void)dom, (void)addr, (void)size, (void)mode, (void)flags;
	return true;
}

int __real_sbi_dbtr_get_total_triggers(void);
int __real_sbi_dbtr_get_total_triggers(void)
{
	return 4;
}

int __real_sbi_mpxy_set_shmem(unsigned long a0, unsigned long a1,
			      unsigned long a2, unsigned long a3);
int __wrap_sbi_mpxy_set_shmem(unsigned long a0, unsigned long a1,
			      unsigned long a2, unsigned long a3);
int __real_sbi_mpxy_set_shmem(unsigned long a0, unsigned long a1,
			      unsigned long a2, unsigned long a3)
{
	(void)a0, (void)a1, (void)a2, (void)a3;
	return 0;
}

int __real_sbi_sse_register(u32 event, unsigned long pc, unsigned long arg);
int __wrap_sbi_sse_register(u32 event, unsigned long pc, unsigned long arg);
int __real_sbi_sse_register(u32 event, unsigned long pc, unsigned long arg)
{
	(void)event, (void)pc, (void)arg;
	return 0;
}

static void set_up_hart(struct tsmd_hart *hart, unsigned int index)
{
	hart->index = index;
	hart->ring = &tsmd_rings[index];
	CHECK(tsmd_turn_to(hart, 1) == 0);
}

static void set_up(void)
{
	/* Firmware, a device, and all the rest with the TSMs in it */
	static struct sbi_domain_memregion regions[] = {
		{ 19, 0x80000000UL, 0 },
		{ 12, 0x10000000UL, 3 },
		{ 64, 0, 7 },
		{ 0 },
	};
	static const struct sbi_domain host = { regions };
	unsigned int i;

	tsmd_hart_offset = 1;
	tsmd_host = &host;
	tsmd_domain_count = COVE_MAX_TSM_DOMAINS;
	for (i = 0; i < tsmd_domain_count; i++) {
		tsmd_domains[i] = (struct tsmd_domain){
			.state = TSMD_READY,
			.sdid = i + 1,
			.index = i,
			.tsm = { TSM(i), TSM(i) + TSM_SIZE },
			.pool = { POOL_OF(i), POOL_OF(i) + POOL_SIZE },
			.info = &info[i],
		};
	}
	for (i = 0; i < COVE_MAX_HARTS; i++)
		set_up_hart(&tsmd_harts[i], i);
	fake_hart = &tsmd_harts[0];
	CHECK(tsmd_pmp_init() == 0);
}

/*
 * While one hart writes, another one reads: it must wait, and see the whole of
 * it. The writer lets it begin at a barrier and goes on when it has turned
 * some rounds, or when it came back with what was half written.
 */
static pthread_t other;
static bool denied;

static void *read_set(void *unused)
{
	(void)unused;
	fake_hart = &tsmd_harts[1];
	denied = tsmd_memory_denied(PAGE(1), PAGE(2));
	__sync_fetch_and_add(&returned, 1);
	return NULL;
}

static void *read_image(void *unused)
{
	(void)unused;
	fake_hart = &tsmd_harts[1];
	tsmd_pmp_refresh(&tsmd_harts[1]);
	__sync_fetch_and_add(&returned, 1);
	return NULL;
}

static void *(*reader)(void *);

static void let_read(void)
{
	spins = returned = 0;
	CHECK(!pthread_create(&other, NULL, reader, NULL));
	while (!__sync_fetch_and_add(&spins, 0) ||
	       (__sync_fetch_and_add(&spins, 0) < SPINS &&
		!__sync_fetch_and_add(&returned, 0)))
		;
	CHECK(!__sync_fetch_and_add(&returned, 0));
}

static void test_set_half_written(int barrier)
{
	reader = read_set;
	wmb_until = barrier;
	at_wmb = let_read;
	CHECK(tsmd_memory_assign(&tsmd_harts[0], PAGE(1), 1) == 0);
	CHECK(!at_wmb);
	pthread_join(other, NULL);
	CHECK(denied);
	CHECK(tsmd_memory_release(&tsmd_harts[0], PAGE(1), 1) == 0);
}

static void assign_page(void)
{
	CHECK(tsmd_memory_assign(&tsmd_harts[0], PAGE(1), 1) == 0);
}

/* The set changes behind the look at it, before the answer. */
static void test_set_changed_meanwhile(void)
{
	rmb_until = 2;
	at_rmb = assign_page;
	CHECK(tsmd_memory_denied(PAGE(1), PAGE(2)));
	CHECK(!at_rmb);
	CHECK(tsmd_memory_release(&tsmd_harts[0], PAGE(1), 1) == 0);
	CHECK(!tsmd_memory_denied(PAGE(1), PAGE(2)));
}

static struct tsmd_ranges one_page, two_ranges;

static void publish_two(void)
{
	tsmd_domains[0].confidential = two_ranges;
	tsmd_pmp_publish();
}

/* A hart that loads the image while it changes must end with the new one. */
static void test_image_changed_meanwhile(void)
{
	unsigned long addresses[PMP_ENTRIES], cfg[2];

	tsmd_domains[0].confidential = one_page;
	tsmd_pmp_publish();
	at_pmpaddr = publish_two;
	tsmd_pmp_refresh(&tsmd_harts[0]);
	CHECK(!at_pmpaddr);
	memcpy(addresses, fake_csr + CSR_PMPADDR0, sizeof(addresses));
	memcpy(cfg, tsmd_harts[0].cfg_host, sizeof(cfg));

	tsmd_harts[0].pmp_loaded = 0;
	tsmd_pmp_refresh(&tsmd_harts[0]);
	CHECK(!memcmp(addresses, fake_csr + CSR_PMPADDR0, sizeof(addresses)));
	CHECK(!memcmp(cfg, tsmd_harts[0].cfg_host, sizeof(cfg)));
}

static void test_image_half_written(int barrier)
{
	tsmd_domains[0].confidential = one_page;
	tsmd_pmp_publish();
	tsmd_pmp_refresh(&tsmd_harts[0]);
	reader = read_image;
	wmb_until = barrier;
	at_wmb = let_read;
	tsmd_harts[1].pmp_loaded = 0;
	tsmd_domains[0].confidential = two_ranges;
	tsmd_pmp_publish();
	CHECK(!at_wmb);
	pthread_join(other, NULL);
	tsmd_pmp_refresh(&tsmd_harts[0]);
	CHECK(tsmd_harts[1].pmp_loaded == tsmd_harts[0].pmp_loaded);
	CHECK(!memcmp(tsmd_harts[1].cfg_host, tsmd_harts[0].cfg_host, 16));
}

/* A hart of another OpenSBI domain has no isolation of this driver. */
static void test_foreign_hart(void)
{
	struct sbi_trap_context trap = {
		.regs = { .a7 = COVE_EID_COVH, .a6 = 1UL << COVE_A6_SDID_SHIFT },
		.trap = { .cause = CAUSE_SUPERVISOR_ECALL },
	};

	tsmd_harts[0].seen = false;
	CHECK(__wrap_sbi_trap_handler(&trap) == &trap);
	CHECK(!teecalls && real_traps == 1);
	tsmd_harts[0].seen = true;
	__wrap_sbi_trap_handler(&trap);
	CHECK(teecalls == 1 && real_traps == 1);
	/* From a guest or from U-mode it is another cause. */
	trap.trap.cause = 10;
	__wrap_sbi_trap_handler(&trap);
	trap.trap.cause = 8;
	__wrap_sbi_trap_handler(&trap);
	CHECK(teecalls == 1 && real_traps == 3);
}

/* OpenSBI v1.6 has the size in front; an address that wraps is one too. */
static void test_mpxy(void)
{
	unsigned long tsm = TSM(0), page = TSMD_PAGE_SIZE;

	CHECK(__wrap_sbi_mpxy_set_shmem(0x88000000UL, 0, 0, 0) == 0);
	CHECK(__wrap_sbi_mpxy_set_shmem(page, 0x88000000UL, 0, 0) == 0);
	CHECK(__wrap_sbi_mpxy_set_shmem(-1UL, -1UL, 0, 0) == 0);
	CHECK(__wrap_sbi_mpxy_set_shmem(PAGE(0), 0, 0, 0) ==
	      SBI_ERR_INVALID_ADDRESS);
	CHECK(__wrap_sbi_mpxy_set_shmem(tsm, 0, 0, 0) ==
	      SBI_ERR_INVALID_ADDRESS);
	CHECK(__wrap_sbi_mpxy_set_shmem(TSM(1) - page / 2, 0, 0, 0) ==
	      SBI_ERR_INVALID_ADDRESS);
	CHECK(__wrap_sbi_mpxy_set_shmem(page, PAGE(7), 0, 0) ==
	      SBI_ERR_INVALID_ADDRESS);
	/* Whatever OpenSBI makes of such a size */
	CHECK(__wrap_sbi_mpxy_set_shmem(0, PAGE(7), 0, 0) ==
	      SBI_ERR_INVALID_ADDRESS);
	CHECK(__wrap_sbi_mpxy_set_shmem(4 * page, TSM(1) - 2 * page, 0, 0) ==
	      SBI_ERR_INVALID_ADDRESS);
}

/* sbi_sse_hart_mask() does not exist here, as in OpenSBI v1.5. */
static void test_no_sse_without_mask(void)
{
	CHECK(__wrap_sbi_sse_register(0, 0, 0) == SBI_ENOTSUPP);
	tsmd_domain_count = 0;
	CHECK(__wrap_sbi_sse_register(0, 0, 0) == 0);
	tsmd_domain_count = COVE_MAX_TSM_DOMAINS;
}

/* A guest interrupt file is taken by itself, and takes an entry as memory does. */
static void test_guest_files(void)
{
	struct tsmd_hart *hart = &tsmd_harts[0];
	unsigned long free, now;

	CHECK(!tsmd_memory_info(hart, COVE_INFO_RANGES_FREE, &free));
	CHECK(tsmd_memory_assign(hart, GUEST_FILE, 2) ==
	      COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_assign(hart, GUEST_FILE - TSMD_PAGE_SIZE, 1) ==
	      COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_assign(hart, GUEST_FILE + 8, 1) ==
	      COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_assign(hart, GUEST_FILE, 1) == 0);
	CHECK(tsmd_memory_assign(hart, GUEST_FILE, 1) ==
	      COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_denied(GUEST_FILE, GUEST_FILE + 4));
	CHECK(!tsmd_memory_info(hart, COVE_INFO_RANGES_FREE, &now));
	CHECK(now == free - 1);
	CHECK(tsmd_memory_release(hart, GUEST_FILE, 1) == 0);
	CHECK(!tsmd_memory_denied(GUEST_FILE, GUEST_FILE + 4));
}

/* What the host or one of the TSMs may do at an address: its PMP bits */
static unsigned int allowed(const unsigned long *cfg, unsigned long address)
{
	unsigned long low = 0, word = address >> PMP_SHIFT, i;

	for (i = 0; i < PMP_ENTRIES; i++) {
		unsigned long addr = fake_csr[CSR_PMPADDR0 + i];
		unsigned int bits = cfg[i / 8] >> i % 8 * 8 & 0xff;
		/* The ones at the end of NAPOT, and the zero above them */
		unsigned long mask = addr ^ (addr + 1);
		bool hit = (bits & PMP_A_NAPOT) == PMP_A_NAPOT ?
			   (word | mask) == (addr | mask) :
			   (bits & PMP_A_NAPOT) == PMP_A_TOR &&
			   word >= low && word < addr;

		if (hit)
			return bits & (PMP_R | PMP_W | PMP_X);
		low = addr;
	}
	return 0;
}

#define RWX	(PMP_R | PMP_W | PMP_X)

/* @owner: index of the domain that has the page, or none */
static void check_page(const struct tsmd_hart *hart, unsigned long page,
		       unsigned int owner)
{
	unsigned int i;

	CHECK(allowed(hart->cfg_host, page) == 0);
	for (i = 0; i < tsmd_domain_count; i++)
		CHECK(allowed(hart->views[i].cfg, page) ==
		      (i == owner ? RWX : 0));
}

static void check_plain(const struct tsmd_hart *hart, unsigned long page)
{
	unsigned int i;

	CHECK(allowed(hart->cfg_host, page) == RWX);
	for (i = 0; i < tsmd_domain_count; i++)
		CHECK(allowed(hart->views[i].cfg, page) == (PMP_R | PMP_W));
}

static void give_up_all(void)
{
	tsmd_domains[0].confidential = tsmd_domains[1].confidential =
		(struct tsmd_ranges){ 0 };
	tsmd_pmp_publish();
	tsmd_pmp_refresh(&tsmd_harts[0]);
}

/* Each TSM reaches its own memory and pages, the other's never. */
static void test_views(void)
{
	struct tsmd_hart *hart = &tsmd_harts[0];
	unsigned long theirs = POOL_OF(1), page = TSMD_PAGE_SIZE;
	unsigned int i;

	give_up_all();
	for (i = 0; i < tsmd_domain_count; i++) {
		check_page(hart, TSM(i), i);
		check_page(hart, TSM(i) + TSM_SIZE - 8, i);
		check_plain(hart, POOL_OF(i));
	}
	/* One page takes one entry, three take two. */
	CHECK(tsmd_memory_assign(hart, PAGE(1), 1) == 0);
	CHECK(tsmd_turn_to(hart, 2) == 0);
	CHECK(tsmd_memory_assign(hart, theirs, 3) == 0);
	check_page(hart, PAGE(1), 0);
	check_page(hart, theirs, 1);
	check_page(hart, theirs + 2 * page, 1);
	check_plain(hart, theirs + 3 * page);
	check_plain(hart, PAGE(0));
	check_plain(hart, PAGE(2));
	CHECK(allowed(hart->views[1].cfg, 0x80000000UL) == 0);
	CHECK(tsmd_memory_denied(theirs + page, theirs + page + 1));
	CHECK(tsmd_memory_denied(PAGE(1), PAGE(2)));
	CHECK(tsmd_memory_denied(TSM(1), TSM(1) + 1));
	CHECK(tsmd_turn_to(hart, 1) == 0);
	give_up_all();
}

/* A guard page is closed to all, its neighbours are their TSM's. */
static void test_guards(void)
{
	struct tsmd_hart *hart = &tsmd_harts[0];
	unsigned long stride = 4 * TSMD_PAGE_SIZE;
	unsigned int i;

	for (i = 0; i < tsmd_domain_count; i++) {
		unsigned long guard = TSM(i) + 8 * TSMD_PAGE_SIZE;

		CHECK(tsmd_turn_to(hart, i + 1) == 0);
		CHECK(tsmd_pmp_set_guard(hart, TSM(!i), stride) ==
		      COVE_ERR_INVALID_ADDRESS);
		CHECK(tsmd_pmp_set_guard(hart, guard, stride) == 0);
		check_page(hart, guard, tsmd_domain_count);
		check_page(hart, guard + TSMD_PAGE_SIZE, i);
		CHECK(tsmd_pmp_is_guard(hart, guard + 8));
		CHECK(!tsmd_pmp_is_guard(hart, guard + TSMD_PAGE_SIZE));
	}
	/* Hart index 1 has other ones. */
	tsmd_pmp_refresh(&tsmd_harts[1]);
	for (i = 0; i < tsmd_domain_count; i++) {
		unsigned long guard = TSM(i) + 8 * TSMD_PAGE_SIZE;

		check_page(&tsmd_harts[1], guard, i);
		check_page(&tsmd_harts[1], guard + stride, tsmd_domain_count);
	}
	tsmd_harts[0].pmp_loaded = 0;
	CHECK(tsmd_turn_to(hart, 1) == 0);
}

/* Neither gives away, takes or gives back what is the other's. */
static void test_domains_apart(void)
{
	struct tsmd_hart *hart = &tsmd_harts[0];
	unsigned long theirs = POOL_OF(1), value;

	CHECK(tsmd_memory_assign(hart, PAGE(0), 1) == 0);
	CHECK(tsmd_memory_assign(hart, theirs, 1) == COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_assign(hart, theirs - TSMD_PAGE_SIZE, 2) ==
	      COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_assign(hart, TSM(1), 1) == COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_assign(hart, GUEST_FILE, 1) == 0);
	CHECK(tsmd_turn_to(hart, 2) == 0);
	CHECK(tsmd_memory_release(hart, PAGE(0), 1) == COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_assign(hart, GUEST_FILE, 1) == COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_release(hart, GUEST_FILE, 1) ==
	      COVE_ERR_INVALID_ADDRESS);
	CHECK(!tsmd_memory_info(hart, COVE_INFO_RANGES_USED, &value));
	CHECK(value == 0);
	CHECK(tsmd_memory_assign(hart, theirs, 1) == 0);
	CHECK(tsmd_memory_denied(theirs, theirs + 1));
	CHECK(tsmd_turn_to(hart, 1) == 0);
	CHECK(tsmd_memory_release(hart, theirs, 1) == COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_denied(theirs, theirs + 1));
	CHECK(!tsmd_memory_info(hart, COVE_INFO_RANGES_USED, &value));
	CHECK(value == 2);
	give_up_all();
}

/* The entries of the PMP are one store for both; beyond it nothing changes. */
static void test_capacity(void)
{
	struct tsmd_hart *hart = &tsmd_harts[0];
	unsigned long free, i;

	CHECK(!tsmd_memory_info(hart, COVE_INFO_RANGES_FREE, &free));
	CHECK(free == tsmd_pmp_capacity());
	for (i = 0; i < free; i++) {
		CHECK(tsmd_turn_to(hart, 1 + i % 2) == 0);
		CHECK(tsmd_memory_assign(hart, POOL_OF(i % 2) +
					 i * 2 * TSMD_PAGE_SIZE, 1) == 0);
	}
	for (i = 0; i < 2; i++) {
		CHECK(tsmd_turn_to(hart, 1 + i) == 0);
		CHECK(tsmd_memory_assign(hart, POOL_OF(i) + 99 * TSMD_PAGE_SIZE,
					 1) == COVE_ERR_OUT_OF_RANGES);
		CHECK(!tsmd_memory_denied(POOL_OF(i) + 99 * TSMD_PAGE_SIZE,
					  POOL_OF(i) + 100 * TSMD_PAGE_SIZE));
	}
	CHECK(tsmd_turn_to(hart, 1) == 0);
	give_up_all();
}

/* All TSMs are told, and none of them may have the page afterwards. */
static void test_nacl(void)
{
	struct tsmd_hart *hart = &tsmd_harts[0];
	unsigned int i;

	CHECK(tsmd_memory_set_nacl(hart, POOL_OF(1)) == 0);
	for (i = 0; i < tsmd_domain_count; i++)
		CHECK(info[i].nacl[0] == POOL_OF(1));
	/* A TSM can write its copy; M-mode looks at its own. */
	info[0].nacl[0] = info[1].nacl[0] = 0;
	CHECK(tsmd_turn_to(hart, 2) == 0);
	CHECK(tsmd_memory_assign(hart, POOL_OF(1) + TSMD_PAGE_SIZE, 1) ==
	      COVE_ERR_INVALID_ADDRESS);
	CHECK(tsmd_memory_set_nacl(hart, 0) == 0);
	CHECK(tsmd_memory_assign(hart, POOL_OF(1) + TSMD_PAGE_SIZE, 1) == 0);
	CHECK(tsmd_memory_set_nacl(hart, POOL_OF(1)) == SBI_ERR_INVALID_ADDRESS);
	CHECK(tsmd_turn_to(hart, 1) == 0);
	give_up_all();
}

int main(void)
{
	/* A reader that waits for ever is a failure too. */
	alarm(60);
	tsmd_ranges_add(&one_page, PAGE(4), PAGE(5));
	tsmd_ranges_add(&two_ranges, PAGE(0), PAGE(2));
	tsmd_ranges_add(&two_ranges, PAGE(9), PAGE(12));
	set_up();
	test_set_half_written(1);
	test_set_half_written(2);
	test_set_changed_meanwhile();
	test_image_changed_meanwhile();
	test_image_half_written(1);
	test_image_half_written(2);
	test_guest_files();
	test_foreign_hart();
	test_mpxy();
	test_no_sse_without_mask();
	test_views();
	test_domains_apart();
	test_capacity();
	test_nacl();
	test_guards();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
