/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes from another hart: an IPI for the host, and a remote fence, which
 * is M-mode's own business. The other hart sleeps until its timer, so that its
 * call lands at an instruction of this hart's operation.
 */
#include "sweep.h"

#define SIE_SSIE	(1UL << IRQ_SOFT)
#define SIE_STIE	(1UL << IRQ_TIMER)

#define EID_HSM		0x48534dUL
#define HSM_START	0
#define EID_IPI		0x735049UL
#define IPI_SEND	0
#define EID_RFENCE	0x52464e43UL
#define RFENCE_SFENCE	1

/* Time for the other hart to get ready, and for its call */
#define LEAD		6000
#define CALL_TICKS	8000
/* A slice of the emulator ends at the next timer at the latest. */
#define METRONOME	40000

/* What the first hart wants of the other */
static struct {
	volatile u64 wanted;
	volatile u64 done;
	volatile u64 arrival;
	volatile u64 at;
	u64 sent;
	u64 sent_end;
	s64 error;
	u64 first;
	u64 second;
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
	if (order.arrival == ARRIVE_IPI)
		answer = sbi(EID_IPI, IPI_SEND, 1, order.first, 0);
	else
		answer = sbi(EID_RFENCE, RFENCE_SFENCE, 1, order.first, 0);
	order.sent_end = csr_read("time");
	order.error = answer.error;
	csr_write(STIMECMP, NEVER);
}

void __attribute__((noreturn)) other_main(void);
void __attribute__((noreturn)) other_main(void)
{
	csr_write(STIMECMP, NEVER);
	for (;;) {
		if (order.wanted == order.done) {
			wait_for(SIE_SSIE);
			csr_clear("sip", SIE_SSIE);
			continue;
		}
		obey();
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		order.done = order.wanted;
	}
}

static void send_order(enum arrival arrival, u64 wake, u64 k)
{
	order.arrival = arrival;
	order.at = wake + k;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	order.wanted++;
	need("send_ipi", sbi(EID_IPI, IPI_SEND, 1, order.second, 0).error);
}

static void await_done(void)
{
	unsigned int patience = 1000;

	while (order.done != order.wanted && patience--)
		sleep_until(csr_read("time") + 2000);
	need("the other hart's call did not return", order.done != order.wanted);
}

static void one_point(enum operation operation, enum arrival arrival, u64 k,
		      struct record *record)
{
	static struct frame frame;
	u64 wake;

	operation_before(operation);
	operation_fill(&frame, operation);
	frame.k = k;
	frame.sstatus = SSTATUS_SIE;
	wake = csr_read("time") + LEAD;
	send_order(arrival, wake, k);
	sleep_until(wake);
	csr_write("sie", SIE_SSIE);
	csr_write(STIMECMP, wake + METRONOME);
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
	if (frame.taken)
		record->scause = frame.taken_cause;
	operation_after(operation, record);
}

static void sweep_operation(enum operation operation, enum arrival arrival)
{
	struct record *record;
	u64 k = sweep_plan.first;

	do {
		record = next_record();
		one_point(operation, arrival, k, record);
		k += sweep_plan.step;
	} while (record->sent < record->end);
}

static u64 start_other(u64 hart)
{
	u64 other;

	for (other = 0; other < COVE_MAX_HARTS; other++)
		if (other != hart &&
		    !sbi(EID_HSM, HSM_START, other, (u64)second_entry, 0).error)
			return other;
	need("hart_start", COVE_ERR_FAILED);
	return 0;
}

void sweep_other(u64 hart)
{
	static const enum operation order_of[] = { OP_NULL, OP_EXIT, OP_RECLAIM };
	unsigned int i;

	if (sweep_plan.harts < 2)
		return;
	order.first = hart;
	order.second = start_other(hart);
	for (i = 0; i < sizeof(order_of) / sizeof(order_of[0]); i++) {
		sweep_operation(order_of[i], ARRIVE_IPI);
		sweep_operation(order_of[i], ARRIVE_FENCE);
	}
	flush_records();
}
