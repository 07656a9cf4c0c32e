/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host that does nothing but sweep: it fills a batch of records, lets the
 * harness read them together with the event rings, and goes on.
 */
#include "sweep.h"

struct plan sweep_plan __attribute__((section(".data"))) = { 0 };
struct mailbox sweep_mailbox;
struct delays sweep_delays;

static void hand_over(void)
{
	sweep_mailbox.filled++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	say("sweep: batch\n");
	while (__atomic_load_n(&sweep_mailbox.read, __ATOMIC_ACQUIRE) !=
	       sweep_mailbox.filled)
		;
	sweep_mailbox.count = 0;
}

void flush_records(void)
{
	if (sweep_mailbox.count)
		hand_over();
}

struct record *next_record(void)
{
	struct record *record;

	if (sweep_mailbox.count == SWEEP_BATCH)
		hand_over();
	record = &sweep_mailbox.records[sweep_mailbox.count++];
	memset(record, 0, sizeof(*record));
	return record;
}

void sweep_main(u64 hart)
{
	if (sweep_plan.magic != SWEEP_MAGIC) {
		say("sweep: no plan\n");
		off();
	}
	sweep_mailbox.magic = SWEEP_MAGIC;
	sweep_mailbox.hart = hart;
	csr_write(STIMECMP, NEVER);
	csr_write("sie", 0);
	if (sweep_plan.mode == MODE_DELAY) {
		measure_delays();
	} else {
		operations_setup();
		sweep_timer();
		sweep_other(hart);
	}
	say("sweep: done\n");
	off();
}
