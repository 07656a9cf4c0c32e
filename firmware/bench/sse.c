/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SSE event for the host arrives while a TVM has the hart. It must wait for
 * the host, and then come before the host's next instruction: not earlier, with
 * the TSM's view of memory, and not later, at the host's next trap.
 */
#include <stdbool.h>

#include "bench.h"
#include "cove.h"
#include "sse.h"

#define EID_HSM		0x48534d
#define HART_START	0
#define ATTEMPTS	5
/* 10 MHz: the event comes 50 ms from now and the guest ends 50 ms later. */
#define EVENT_TICKS	500000UL
#define GUEST_TICKS	1000000UL

void sse_entry(void);
void sender_entry(void);

/** What the other hart is to do; sse_entry.S uses the layout */
static struct {
	/** Time to send the event at; the other hart takes it by writing 0 */
	volatile uint64_t time;
	uint64_t to;
} request;

/** Where the event came, 0 if none has, and when; sse_entry.S writes it */
static volatile struct {
	uint64_t sepc;
	uint64_t instret;
} event;

static void need(const char *what, int64_t error)
{
	if (error)
		give_up(what, error);
}

static void set_up(uint64_t self)
{
	need("sse.register", sbi(EID_SSE, SSE_REGISTER, SSE_LOCAL_SOFTWARE,
				 (uint64_t)sse_entry, (uint64_t)&event));
	need("sse.enable", sbi(EID_SSE, SSE_ENABLE, SSE_LOCAL_SOFTWARE, 0, 0));
	need("sse.hart_unmask", sbi(EID_SSE, SSE_HART_UNMASK, 0, 0, 0));
	request.to = self;
	need("hsm.hart_start", sbi(EID_HSM, HART_START, !self,
				   (uint64_t)sender_entry, (uint64_t)&request));
}

static uint64_t now(void)
{
	uint64_t time;

	__asm__ volatile("csrr %0, time" : "=r"(time));
	return time;
}

/* All SBI calls have this address: the count tells which one it was. */
static bool came_in_time(const struct sample *call)
{
	return event.sepc == (uint64_t)(measured_ecall + 4) &&
	       event.instret > call->before && event.instret < call->after;
}

void bench_main(uint64_t self)
{
	struct sample sample;
	int attempt;

	tvm_begin();
	for (attempt = 0; attempt < ROUNDS; attempt++)
		tvm_exit(attempt);
	set_up(self);
	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		event.sepc = 0;
		request.time = now() + EVENT_TICKS;
		tvm_spin(GUEST_TICKS, &sample);
		if (came_in_time(&sample))
			done();
		/* A slow workstation: the event came before or after the call. */
	}
	give_up("the event never came with the host's next instruction", attempt);
}
