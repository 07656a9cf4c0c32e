/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes from another hart: an IPI for the host, and remote fences, which
 * are M-mode's own business. One hart, the sender, sleeps until its timer, so
 * that its call lands at an instruction of the other hart's operation.
 *
 * The emulator runs the harts in their order, and from the first one on when a
 * timer expires: the sender has to be the lower one to have its turn at once.
 */
#include "sweep.h"

#define SIE_SSIE	(1UL << IRQ_SOFT)
#define SIE_STIE	(1UL << IRQ_TIMER)

#define EID_HSM		0x48534dUL
#define HSM_START	0
#define EID_IPI		0x735049UL
#define IPI_SEND	0
#define EID_RFENCE	0x52464e43UL
#define RFENCE_SFENCE		1
#define RFENCE_HFENCE_GVMA	4
#define RFENCE_HFENCE_VVMA	6
#define EID_PMU		0x504d55UL
#define PMU_COUNTERS	0
#define PMU_MATCH	2
#define PMU_FW_READ	5
/* Clear the counter and start it */
#define PMU_FLAGS	6
#define PMU_FIRMWARE	0xf0000UL

/* Time for the other hart to get ready, and for its call */
#define LEAD		6000
#define CALL_TICKS	8000
/*
 * A hart's turn in the emulator ends at half the way to the next timer. One
 * this far behind the sender's keeps the receiver from running on before the
 * sender has its turn; it is the receiver's own, with sie.STIE off.
 */
#define TURN		40
/* The same for a hart that waits for the other in M-mode: no turn is long. */
#define SHORT_TURNS	4000
#define SOME_TURNS	40000

/* Not an arrival: the sender fences for itself, as pages' new owners ask for. */
#define LOCAL_FENCE	ARRIVALS

/*
 * Remote fences: function of SBI RFENCE, and the firmware's own event that
 * counts what it has served, so that none is lost unnoticed. That the harts
 * have the H extension goes without saying where there are TVMs.
 */
static const struct {
	u64 function;
	u64 event;
} fences[ARRIVALS] = {
	[ARRIVE_FENCE] = { RFENCE_SFENCE, 11 },
	[ARRIVE_HFENCE_GVMA] = { RFENCE_HFENCE_GVMA, 15 },
	[ARRIVE_HFENCE_VVMA] = { RFENCE_HFENCE_VVMA, 19 },
};

/* Firmware counters of the receiver */
static u64 counters[ARRIVALS];

static void counters_start(void)
{
	u64 all = (1UL << sbi(EID_PMU, PMU_COUNTERS, 0, 0, 0).value) - 1;
	struct sbi_answer answer;
	unsigned int i;

	for (i = ARRIVE_FENCE; i < ARRIVALS; i++) {
		answer = sbi4(EID_PMU, PMU_MATCH, 0, all, PMU_FLAGS,
			      PMU_FIRMWARE | fences[i].event);
		need("counter_config_matching", answer.error);
		counters[i] = answer.value;
	}
}

static u64 fences_served(enum arrival arrival)
{
	struct sbi_answer answer;

	if (!fences[arrival].event)
		return 0;
	answer = sbi(EID_PMU, PMU_FW_READ, counters[arrival], 0, 0);
	need("counter_fw_read", answer.error);
	return answer.value;
}

/* What the sender is to do */
static struct {
	volatile u64 wanted;
	volatile u64 done;
	volatile u64 over;
	volatile u64 arrival;
	volatile u64 at;
	u64 sent;
	u64 sent_end;
	s64 error;
	u64 sender;
	u64 receiver;
} order;

/* Sleep until a bit of sip that sie has is set. */
static void wait_for(u64 bit)
{
	csr_write("sie", bit);
	while (!(csr_read("sip") & bit))
		__asm__ volatile("wfi");
}

static void obey(void)
{
	struct sbi_answer answer;

	csr_write(STIMECMP, order.at);
	wait_for(SIE_STIE);
	/*
	 * The emulator runs one hart after the other. Waiting for the first
	 * hart's answer, this one gives up its turn at its next timer.
	 */
	csr_write(STIMECMP, csr_read("time") + CALL_TICKS);
	csr_write("sie", 0);
	order.sent = csr_read("time");
	switch (order.arrival) {
	case ARRIVE_IPI:
		answer = sbi(EID_IPI, IPI_SEND, 1, order.receiver, 0);
		break;
	case ARRIVE_FENCE:
	case ARRIVE_HFENCE_GVMA:
	case ARRIVE_HFENCE_VVMA:
		answer = sbi(EID_RFENCE, fences[order.arrival].function, 1,
			     order.receiver, 0);
		break;
	default:
		answer = covh(COVE_COVH_LOCAL_FENCE, (u64[6]){ 0 });
	}
	order.sent_end = csr_read("time");
	order.error = answer.error;
	csr_write(STIMECMP, order.sent_end + SOME_TURNS);
}

static void sender(void)
{
	csr_write(STIMECMP, NEVER);
	while (!order.over) {
		if (order.wanted == order.done) {
			wait_for(SIE_SSIE);
			csr_clear("sip", SIE_SSIE);
			continue;
		}
		obey();
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		order.done = order.wanted;
	}
	csr_write("sie", 0);
}

static void wake_sender(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	need("send_ipi", sbi(EID_IPI, IPI_SEND, 1, order.sender, 0).error);
}

static void send_order(u64 arrival, u64 wake, u64 k)
{
	order.arrival = arrival;
	order.at = wake + k;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	order.wanted++;
	wake_sender();
}

static void await_done(void)
{
	unsigned int patience = 1000;

	while (order.done != order.wanted && patience--)
		sleep_until(csr_read("time") + 2000);
	need("the other hart's call did not return", order.done != order.wanted);
}

void others_fence(void)
{
	if (order.sender == order.receiver)
		return;
	send_order(LOCAL_FENCE, 0, 0);
	await_done();
	need("local_fence", order.error);
	/* Waiting for the other hart, this one may go on in M-mode. */
	csr_write(STIMECMP, csr_read("time") + SHORT_TURNS);
}

static void one_point(enum operation operation, enum arrival arrival, u64 k,
		      struct record *record)
{
	static struct frame frame;
	u64 wake;

	csr_write(STIMECMP, csr_read("time") + SHORT_TURNS);
	operation_before(operation);
	operation_fill(&frame, operation);
	frame.k = k;
	frame.sstatus = SSTATUS_SIE;
	record->fences = -fences_served(arrival);
	wake = csr_read("time") + LEAD;
	send_order(arrival, wake, k);
	sleep_until(wake);
	csr_write("sie", SIE_SSIE);
	csr_write(STIMECMP, order.at + TURN);
	csrs_fill();
	sweep_call(&frame);
	record->scause = csr_read("scause");
	record->stval = csr_read("stval");
	record->stimecmp = csr_read(STIMECMP);
	record->wrong_gprs = wrong_gprs(&frame);
	record->wrong_csrs = wrong_csrs(&frame, operation);
	/* Asleep, the hart's own timer must not count as an arrival. */
	csr_clear("sstatus", SSTATUS_SIE);
	await_done();
	csr_set("sstatus", SSTATUS_SIE);
	csr_clear("sstatus", SSTATUS_SIE);
	csr_write("sie", 0);
	record->sip = csr_read("sip");
	record->operation = operation;
	record->arrival = arrival;
	record_frame(record, &frame);
	record->deadline = order.at;
	record->sent = order.sent;
	record->sent_end = order.sent_end;
	record->sent_error = order.error;
	record->fences += fences_served(arrival);
	if (frame.taken)
		record->scause = frame.taken_cause;
	csr_write(STIMECMP, csr_read("time") + SHORT_TURNS);
	operation_after(operation, record);
}

static bool covered(enum operation operation, const struct record *record)
{
	if (operation == OP_SPIN)
		return record->deadline > record->call + spin_ticks;
	return record->deadline >= record->end;
}

static void sweep_operation(enum operation operation, enum arrival arrival)
{
	struct record *record;
	u64 k = sweep_plan.first;

	do {
		record = next_record();
		one_point(operation, arrival, k, record);
		k += sweep_plan.step;
	} while (!covered(operation, record));
}

static void receiver(void)
{
	static const enum operation operations[] = {
		OP_NULL, OP_EXIT, OP_RECLAIM, OP_CONVERT, OP_GLOBAL_FENCE,
		OP_LOCAL_FENCE,
	};
	unsigned int i, arrival;

	csr_write(STIMECMP, NEVER);
	csr_write("sie", 0);
	operations_move();
	sweep_mailbox.hart = order.receiver;
	counters_start();
	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		for (arrival = ARRIVE_IPI; arrival < ARRIVALS; arrival++)
			sweep_operation(operations[i], arrival);
	/* A fence would not end it. */
	sweep_operation(OP_SPIN, ARRIVE_IPI);
	flush_records();
	order.over = 1;
	wake_sender();
}

void __attribute__((noreturn)) second_main(u64 hart);
void __attribute__((noreturn)) second_main(u64 hart)
{
	if (hart == order.sender)
		sender();
	else
		receiver();
	/* The first hart ends the machine. */
	for (;;)
		__asm__ volatile("wfi");
}

/* Before it runs, the second hart must know what it is. */
static s64 start(u64 hart, u64 other)
{
	order.sender = hart < other ? hart : other;
	order.receiver = hart < other ? other : hart;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return sbi(EID_HSM, HSM_START, other, (u64)second_entry, 0).error;
}

void sweep_other(u64 hart)
{
	u64 other = 0;

	if (sweep_plan.harts < 2)
		return;
	while (other < COVE_MAX_HARTS && (other == hart || start(hart, other)))
		other++;
	need("hart_start", other == COVE_MAX_HARTS);
	if (hart == order.sender)
		sender();
	else
		receiver();
}
