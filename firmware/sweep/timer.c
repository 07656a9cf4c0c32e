/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer of the own hart, at every point of every operation. */
#include "sweep.h"

#define SIE_STIE	(1UL << IRQ_TIMER)
#define MARGIN		160
/* So far into the spinning guest, which does not end by itself */
#define SPIN_TICKS	1200

u64 spin_ticks;

void record_frame(struct record *record, const struct frame *frame)
{
	record->k = frame->k;
	record->start = frame->start;
	record->deadline = frame->deadline;
	record->call = frame->call;
	record->end = frame->end;
	record->ecall_pc = (u64)sweep_ecall;
	record->taken = frame->taken;
	record->taken_pc = frame->taken_pc;
	record->taken_at = frame->taken_at;
	record->taken_cause = frame->taken_cause;
	record->error = frame->out[10];
	record->value = frame->out[11];
}

static void one_point(enum operation operation, enum arrival arrival, u64 k,
		      struct record *record)
{
	static struct frame frame;
	bool taken = arrival == ARRIVE_TIMER_TAKEN;

	operation_before(operation);
	operation_fill(&frame, operation);
	frame.arm = 1;
	frame.k = k;
	frame.sstatus = taken ? SSTATUS_SIE : 0;
	csr_write("sie", SIE_STIE);
	csrs_fill();
	sweep_call(&frame);
	record->scause = csr_read("scause");
	record->stval = csr_read("stval");
	record->stimecmp = csr_read(STIMECMP);
	record->sip = csr_read("sip");
	record->sip_at = csr_read("time");
	record->wrong_gprs = wrong_gprs(&frame);
	record->wrong_csrs = wrong_csrs(&frame, operation);
	/* A tick that is late, or comes twice, shows here. */
	while (csr_read("time") < frame.deadline + MARGIN)
		;
	csr_clear("sstatus", SSTATUS_SIE);
	csr_write(STIMECMP, NEVER);
	record->operation = operation;
	record->arrival = arrival;
	record_frame(record, &frame);
	if (taken && frame.taken)
		record->scause = frame.taken_cause;
	operation_after(operation, record);
}

static bool covered(enum operation operation, u64 k,
		    const struct record *record)
{
	if (operation == OP_SPIN)
		return k > spin_ticks;
	return record->deadline > record->end + MARGIN;
}

static void sweep_operation(enum operation operation, enum arrival arrival)
{
	struct record *record;
	u64 k = sweep_plan.first;

	do {
		record = next_record();
		one_point(operation, arrival, k, record);
		k += sweep_plan.step;
	} while (!covered(operation, k, record));
	if (operation == OP_EXIT)
		/* No guest starts later than this operation ends. */
		spin_ticks = k + SPIN_TICKS;
}

void sweep_timer(void)
{
	static const enum operation order[] = {
		OP_EXIT, OP_SPIN, OP_NULL, OP_CONVERT, OP_RECLAIM,
		OP_GLOBAL_FENCE, OP_LOCAL_FENCE,
	};
	unsigned int i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		sweep_operation(order[i], ARRIVE_TIMER_TAKEN);
		sweep_operation(order[i], ARRIVE_TIMER_PENDING);
	}
	flush_records();
}
