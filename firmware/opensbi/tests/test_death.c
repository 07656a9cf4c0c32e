/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two harts on which the TSM dies at once: one reports the death, the other
 * leaves, and both give the hart back to the host. The second hart dies, whole,
 * at the one place where it decides: right before the first one's exchange. And
 * two TSMs of which one dies: the other one's harts and calls go on.
 */

#include <stdarg.h>

#include "tsmd.h"

#define CALL_PC		0x80200000UL
#define HARTS		2
#define POOL		0x90000000UL
#define TSM_SIZE	0x1000000UL

_Thread_local unsigned long fake_csr[4096];
_Thread_local void *fake_hart;

static unsigned int passed, failed;
static const char *now;
static struct tsm_boot_info info[COVE_MAX_TSM_DOMAINS];

static void check(int ok, const char *what, int line)
{
	passed += !!ok;
	failed += !ok;
	if (!ok)
		printf("test_death.c:%d: %s: %s\n", line, now, what);
}

#define CHECK(condition)	check(condition, #condition, __LINE__)

/* What happened since set_up() */
static char console[2048];
static unsigned int pokes, scrubs, leaves;

/* Called once each: at the exchange, and while M-mode does something else */
static void (*at_exchange)(void);
static void (*meanwhile)(void);

static void run_once(void (**hook)(void))
{
	void (*call)(void) = *hook;

	*hook = NULL;
	if (call)
		call();
}

void fake_wmb(void)
{
}

void fake_exchange(void)
{
	run_once(&at_exchange);
}

int sbi_printf(const char *format, ...)
{
	size_t length = strlen(console);
	va_list args;
	int count;

	va_start(args, format);
	count = vsnprintf(console + length, sizeof(console) - length, format,
			  args);
	va_end(args);
	return count;
}

/* The rest of the driver. */

unsigned long tsmd_watchdog_period = 1;

struct sbi_trap_context *tsmd_boot_next(struct tsmd_hart *hart)
{
	CHECK(!"nothing boots here");
	return tsmd_leave(hart);
}

bool tsmd_boot_init(void)
{
	return true;
}

struct sbi_trap_context *__real_sbi_trap_handler(struct sbi_trap_context *tcntx);
struct sbi_trap_context *__wrap_sbi_trap_handler(struct sbi_trap_context *tcntx);
struct sbi_trap_context *__real_sbi_trap_handler(struct sbi_trap_context *tcntx)
{
	/* As sbi_timer_process() does with the machine timer */
	csr_write(CSR_MIE, tcntx->trap.cause ==
			   (MCAUSE_IRQ_MASK | IRQ_M_TIMER) ? 0 : MIP_MTIP);
	return tcntx;
}

struct sbi_trap_context *tsmd_enter(struct tsmd_hart *hart,
				    const struct sbi_trap_regs *regs)
{
	hart->host.regs = *regs;
	hart->in_tsm = true;
	return &hart->tsm;
}

struct sbi_trap_context *tsmd_leave(struct tsmd_hart *hart)
{
	CHECK(hart->in_tsm);
	leaves++;
	hart->in_tsm = false;
	return &hart->host;
}

int tsmd_memory_assign(struct tsmd_hart *hart, unsigned long base,
		       unsigned long pages)
{
	run_once(&meanwhile);
	return 0;
}

int tsmd_memory_release(struct tsmd_hart *hart, unsigned long base,
			unsigned long pages)
{
	run_once(&meanwhile);
	return 0;
}

long tsmd_memory_info(struct tsmd_hart *hart, unsigned long kind,
		      unsigned long *value)
{
	run_once(&meanwhile);
	return 0;
}

void tsmd_memory_poke_harts(void)
{
	pokes++;
}

int tsmd_pmp_set_guard(struct tsmd_hart *hart, unsigned long guard,
		       unsigned long stride)
{
	return 0;
}

bool tsmd_pmp_is_guard(const struct tsmd_hart *hart, unsigned long addr)
{
	return false;
}

void tsmd_sse_hold(struct tsmd_hart *hart)
{
}

void tsmd_sse_let_go(struct tsmd_hart *hart)
{
}

/* The first hart's time is over; the hook, if any, comes behind the look. */
bool tsmd_watchdog_look(struct tsmd_hart *hart)
{
	run_once(&meanwhile);
	return true;
}

void tsmd_zero_fp(void)
{
	scrubs++;
}

void tsmd_zero_v(void)
{
	scrubs++;
}

static struct sbi_trap_context host_call(unsigned long sdid)
{
	return (struct sbi_trap_context){
		.regs = {
			.a7 = COVE_EID_COVH,
			.a6 = sdid << COVE_A6_SDID_SHIFT,
			.mepc = CALL_PC,
		},
		.trap = { .cause = CAUSE_SUPERVISOR_ECALL },
	};
}

/* A hart in a TSM, as the host's call put it there */
static void enter(unsigned int index, unsigned long sdid)
{
	struct tsmd_hart *hart = &tsmd_harts[index];
	struct sbi_trap_context call = host_call(sdid);

	memset(hart, 0, sizeof(*hart));
	hart->index = hart->id = index;
	hart->ring = &tsmd_rings[index];
	hart->ring->head = 0;
	hart->seen = true;
	CHECK(tsmd_turn_to(hart, 1) == 0);
	CHECK(tsmd_teecall(hart, &call) == &hart->tsm && hart->in_tsm);
}

/* @sdid: in which TSM the second hart is */
static void set_up_in(const char *name, unsigned long sdid)
{
	unsigned int i;

	now = name;
	tsmd_hart_offset = 1;
	tsmd_domain_count = COVE_MAX_TSM_DOMAINS;
	for (i = 0; i < tsmd_domain_count; i++) {
		tsmd_domains[i] = (struct tsmd_domain){
			.state = TSMD_READY,
			.sdid = i + 1,
			.index = i,
			.watchdog = 1,
			.tsm = { POOL - (i + 1) * TSM_SIZE, POOL - i * TSM_SIZE },
			.info = &info[i],
		};
	}
	console[0] = '\0';
	pokes = scrubs = leaves = 0;
	at_exchange = meanwhile = NULL;
	enter(0, 1);
	enter(1, sdid);
}

static void set_up(const char *name)
{
	set_up_in(name, 1);
}

/* A trap of a hart that is in the TSM, in HS-mode */
static struct sbi_trap_context *trap(unsigned int index, unsigned long cause,
				     unsigned long function)
{
	struct sbi_trap_context context = {
		.regs = {
			.a7 = COVE_EID_TSMD,
			.a0 = POOL,
			.a6 = function,
			.mepc = 0x8f000000UL + index,
			.mstatus = (unsigned long)PRV_S << MSTATUS_MPP_SHIFT,
		},
		.trap = { .cause = cause },
	};
	struct sbi_trap_context *next;
	void *before = fake_hart;

	fake_hart = &tsmd_harts[index];
	next = __wrap_sbi_trap_handler(&context);
	fake_hart = before;
	/* The frame is gone with this function; the host's stays. */
	return next == &context ? NULL : next;
}

static struct sbi_trap_context *fault(unsigned int index)
{
	return trap(index, CAUSE_LOAD_ACCESS, 0);
}

static struct sbi_trap_context *panic(unsigned int index)
{
	return trap(index, CAUSE_SUPERVISOR_ECALL, COVE_TSMD_PANIC);
}

static struct sbi_trap_context *hang(unsigned int index)
{
	return trap(index, MCAUSE_IRQ_MASK | IRQ_M_TIMER, 0);
}

static const struct way {
	const char *name;
	struct sbi_trap_context *(*die)(unsigned int index);
	u16 event;
} ways[] = {
	{ "fault", fault, TEE_EVENT_TSM_FAULT },
	{ "panic", panic, TEE_EVENT_TSM_PANIC },
	{ "hang", hang, TEE_EVENT_TSM_HANG },
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

static unsigned int said(const char *what)
{
	unsigned int count = 0;
	const char *at;

	for (at = strstr(console, what); at; at = strstr(at + 1, what))
		count++;
	return count;
}

static unsigned int events(unsigned int index, u16 kind)
{
	const struct tee_ring *ring = &tsmd_rings[index];
	unsigned int count = 0;
	unsigned long i;

	for (i = 0; i < ring->head; i++)
		count += ring->events[i].kind == kind;
	return count;
}

static unsigned int deaths(unsigned int index)
{
	unsigned int i, count = 0;

	for (i = 0; i < WAYS; i++)
		count += events(index, ways[i].event);
	return count;
}

/* The host has its hart back, behind its call, which has failed. */
static void check_host(unsigned int index)
{
	struct tsmd_hart *hart = &tsmd_harts[index];

	CHECK(!hart->in_tsm);
	CHECK(hart->host.regs.a0 == (unsigned long)SBI_ERR_FAILED);
	CHECK(hart->host.regs.mepc == CALL_PC + 4);
	CHECK(events(index, TEE_EVENT_TEERET) == 1);
}

static void check_one_death(unsigned int dead, const struct way *way)
{
	CHECK(tsmd_domains[0].state == TSMD_DEAD);
	CHECK(tsmd_domains[1].state == TSMD_READY);
	CHECK(said("TSM domain dead") == 1);
	CHECK(said("tsmd: TSM fault:") + said("tsmd: TSM panic:") +
	      said("tsmd: TSM hang:") == 1);
	CHECK(said("tsmd: TSM left at:") == 1);
	CHECK(deaths(dead) == 1 && events(dead, way->event) == 1);
	CHECK(!deaths(!dead));
	CHECK(pokes == 1);
	CHECK(leaves == HARTS && scrubs == HARTS);
	check_host(0);
	check_host(1);
}

static const struct way *others_way;

static void let_other_die(void)
{
	CHECK(others_way->die(1) == &tsmd_harts[1].host);
}

/* The other hart dies between what this one saw and what it decides. */
static void test_at_once(const struct way *way, const struct way *other)
{
	char name[64];

	snprintf(name, sizeof(name), "%s, %s in between", way->name,
		 other->name);
	set_up(name);
	others_way = other;
	at_exchange = let_other_die;
	CHECK(way->die(0) == &tsmd_harts[0].host);
	CHECK(!at_exchange);
	check_one_death(1, other);
}

/* It was dead before; the second trap is all that the hart has to say. */
static void test_one_by_one(const struct way *way, const struct way *other)
{
	char name[64];

	snprintf(name, sizeof(name), "%s after %s", other->name, way->name);
	set_up(name);
	CHECK(way->die(0) == &tsmd_harts[0].host);
	CHECK(other->die(1) == &tsmd_harts[1].host);
	check_one_death(0, way);
}

/*
 * M-mode waits for other harts on the TSM's behalf and serves the IPI that
 * would have taken the hart out of it: no way back into the TSM then.
 */
static void test_while_waiting(const char *name, unsigned long function)
{
	set_up(name);
	others_way = &ways[0];
	meanwhile = let_other_die;
	CHECK(trap(0, CAUSE_SUPERVISOR_ECALL, function) == &tsmd_harts[0].host);
	CHECK(!meanwhile);
	check_one_death(1, &ways[0]);
}

/* The wait as such ends in the TSM. */
static void test_alive(unsigned long function)
{
	set_up("a call of the TSM");
	CHECK(!trap(0, CAUSE_SUPERVISOR_ECALL, function));
	CHECK(tsmd_harts[0].in_tsm && tsmd_domains[0].state == TSMD_READY && !leaves);
}

/* The other harts leave at the IPI that the death brings them. */
static void test_poked(void)
{
	set_up("an IPI, and no death");
	CHECK(!trap(1, MCAUSE_IRQ_MASK | IRQ_M_SOFT, 0));
	CHECK(tsmd_harts[1].in_tsm && !leaves);

	set_up("the IPI of a death");
	fault(0);
	CHECK(trap(1, MCAUSE_IRQ_MASK | IRQ_M_SOFT, 0) == &tsmd_harts[1].host);
	check_one_death(0, &ways[0]);
}

/* What the host calls later fails, and does not enter. */
static void test_later_calls(void)
{
	struct sbi_trap_context call = host_call(1);

	set_up("a call after the death");
	fault(0);
	fake_hart = &tsmd_harts[0];
	CHECK(__wrap_sbi_trap_handler(&call) == &call);
	CHECK(call.regs.a0 == (unsigned long)SBI_ERR_FAILED);
	CHECK(call.regs.mepc == CALL_PC + 4 && !tsmd_harts[0].in_tsm);
}

/* The other TSM's hart passes through M-mode when this one dies, and goes on. */
static void test_other_tsm_lives(const struct way *way)
{
	char name[64];

	snprintf(name, sizeof(name), "%s of one TSM of two", way->name);
	set_up_in(name, 2);
	CHECK(tsmd_harts[1].domain == &tsmd_domains[1]);
	CHECK(way->die(0) == &tsmd_harts[0].host);
	CHECK(said("TSM domain dead: SDID 1, hart 0") == 1);
	CHECK(!trap(1, MCAUSE_IRQ_MASK | IRQ_M_SOFT, 0));
	CHECK(!trap(1, CAUSE_SUPERVISOR_ECALL, COVE_TSMD_ASSIGN));
	CHECK(tsmd_harts[1].in_tsm && leaves == 1 && scrubs == 1);
	CHECK(tsmd_domains[0].state == TSMD_DEAD);
	CHECK(tsmd_domains[1].state == TSMD_READY);
	check_host(0);
}

/* Of its own death the second TSM says its own name. */
static void test_second_dies(const struct way *way)
{
	set_up_in("death of the second TSM", 2);
	CHECK(way->die(1) == &tsmd_harts[1].host);
	CHECK(said("TSM domain dead: SDID 2, hart 1") == 1);
	CHECK(tsmd_harts[0].in_tsm && leaves == 1);
	CHECK(tsmd_domains[0].state == TSMD_READY);
	check_host(1);
}

static long answer_to(unsigned long a6)
{
	struct sbi_trap_context call = host_call(0);

	call.regs.a6 = a6;
	fake_hart = &tsmd_harts[0];
	tsmd_harts[0].in_tsm = false;
	if (__wrap_sbi_trap_handler(&call) == &tsmd_harts[0].tsm)
		return tsmd_harts[0].domain->sdid;
	CHECK(call.regs.mepc == CALL_PC + 4 && !tsmd_harts[0].in_tsm);
	return call.regs.a0;
}

/* Each call goes where its SDID says, and nowhere when it says nothing known. */
static void test_target(void)
{
	const unsigned long one = 1UL << COVE_A6_SDID_SHIFT;

	set_up_in("the target of a call", 2);
	CHECK(answer_to(2 * one) == 2);
	CHECK(answer_to(one) == 1);
	CHECK(answer_to(2 * one | COVE_COVH_CREATE_TVM) == 2);
	CHECK(answer_to(0) == SBI_ERR_NOT_SUPPORTED);
	CHECK(answer_to(3 * one) == SBI_ERR_NOT_SUPPORTED);
	CHECK(answer_to(one | 1UL << 32) == SBI_ERR_NOT_SUPPORTED);
	CHECK(answer_to(one | 1UL << 63) == SBI_ERR_NOT_SUPPORTED);
	tsmd_domains[0].state = TSMD_DEAD;
	CHECK(answer_to(one) == SBI_ERR_FAILED);
	CHECK(answer_to(2 * one) == 2);
	tsmd_domains[1].state = TSMD_LOADED;
	CHECK(answer_to(2 * one) == SBI_ERR_NOT_SUPPORTED);
}

static bool resumes(unsigned long sdid)
{
	struct tsmd_hart *hart = &tsmd_harts[0];
	struct sbi_trap_context call = host_call(sdid);
	unsigned long head = hart->ring->head;

	CHECK(tsmd_teecall(hart, &call) == &hart->tsm);
	CHECK(hart->ring->head == head + 1);
	CHECK(hart->ring->events[head].sdid == sdid);
	return hart->ring->events[head].kind == TEE_EVENT_TEERESUME;
}

static void interrupt(void)
{
	fake_hart = &tsmd_harts[0];
	CHECK(trap(0, CAUSE_SUPERVISOR_ECALL, COVE_TSMD_RET_INTERRUPTED) ==
	      &tsmd_harts[0].host);
}

/* The same arguments for another TSM are another call. */
static void test_resume(void)
{
	set_up("a call that goes on");
	interrupt();
	CHECK(resumes(1));
	interrupt();
	CHECK(!resumes(2));
	interrupt();
	CHECK(!resumes(1));
}

int main(void)
{
	static const unsigned long calls[] = {
		COVE_TSMD_ASSIGN, COVE_TSMD_RELEASE, COVE_TSMD_INFO,
	};
	unsigned int i, j;

	/* A hart that never leaves is a failure too. */
	alarm(60);
	for (i = 0; i < WAYS; i++) {
		for (j = 0; j < WAYS; j++) {
			test_at_once(&ways[i], &ways[j]);
			test_one_by_one(&ways[i], &ways[j]);
		}
	}
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		test_while_waiting("the other hart dies during a call", calls[i]);
		test_alive(calls[i]);
	}
	for (i = 0; i < WAYS; i++) {
		test_other_tsm_lives(&ways[i]);
		test_second_dies(&ways[i]);
	}
	test_poked();
	test_later_calls();
	test_target();
	test_resume();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
