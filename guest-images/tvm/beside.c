// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that runs as a TVM and as a plain guest of KVM, at the same time and
 * at the same guest-physical addresses, with the same ASID.
 *
 * The argument says who it is:
 *	bits 0-7	number of the world; 1: KVM's
 *	bits 8-31	rounds; 0: until a console call answers with the value 1
 *	bits 32-63	seed of all values
 *
 * A round fills registers, CSRs and a page, waits for a timer interrupt, goes
 * to the host and back, and compares all of it.
 */
#include "beside.h"
#include "cove.h"
#include "sbi.h"

#define FULL_CHECK_EVERY	32
#define SAMPLE_STEP		61
#define KVM_WORLD		1

struct finding finding;

void expect(const char *what, unsigned long got, unsigned long want)
{
	if (got == want || finding.what)
		return;
	finding = (struct finding){ .what = what, .got = got, .want = want };
}

uint64_t mix(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t h = seed ^ a * 0x9E3779B97F4A7C15 ^ b * 0xC2B2AE3D27D4EB4F;

	h ^= h >> 29;
	h *= 0xBF58476D1CE4E5B9;
	return h ^ h >> 32;
}

/* To the host and back; true when it wants the guest to end. */
static int yield(void)
{
	return sbi_call(COVE_EID_DBCN, COVE_DBCN_CONSOLE_WRITE_BYTE, '.', 0,
			0).value == 1;
}

static int round_trip(unsigned long round)
{
	int end;

	pages_rewrite(round);
	hart_fill(round);
	hart_wait();
	hart_fill_trap_csrs(round);
	end = yield();
	hart_check();
	pages_check(round % FULL_CHECK_EVERY ? SAMPLE_STEP : 1);
	return end;
}

static void print_number(const char *name, unsigned long value)
{
	print(name);
	print_decimal(value);
}

static void print_result(unsigned long world, unsigned long rounds)
{
	print_number("\nbeside: world=", world);
	print_number(" rounds=", rounds);
	print_number(" timers=", hart_timers());
	print_number(" spurious=", hart_spurious());
	print_number(" vlen=", hart_vlen());
	if (!finding.what) {
		print(" ok\n");
		return;
	}
	print(" bad ");
	print(finding.what);
	print(" got=");
	print_hex64(finding.got);
	print(" want=");
	print_hex64(finding.want);
	print("\n");
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	unsigned long world = arg & 0xff, wanted = arg >> 8 & 0xffffff;
	unsigned long round = 0;
	int end = 0;

	(void)vcpu_id;
	print_number("beside: start world=", world);
	print("\n");
	pages_begin(arg);
	hart_begin(arg, world != KVM_WORLD);
	while (!end && !finding.what && (!wanted || round < wanted))
		end = round_trip(round++);
	pages_check(1);
	print_result(world, round);
}
