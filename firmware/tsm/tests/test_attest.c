// SPDX-License-Identifier: BSD-2-Clause
/* COVG functions 6, 7, 8 and 10 as a guest sees them. */
#include "attest/attest.h"
#include "tests/run.h"

#define OUT		GUEST_BASE
#define IN		(GUEST_BASE + PAGE_SIZE)
#define CHALLENGE	(IN + 512)
#define ADDRESS		COVE_ERR_INVALID_ADDRESS
#define EVIDENCE	COVE_COVG_GET_EVIDENCE
#define EXTEND		COVE_COVG_EXTEND_MEASUREMENT
#define ATTCAPS		COVE_COVG_GET_ATTCAPS

struct covg {
	u64 fid, args[6];
	s64 error;
};

static const struct covg *calls;
static unsigned int count;
static u64 first;

static void make(struct guest_context *guest, const struct covg *call)
{
	ecall(guest, COVE_EID_COVG, call->fid, call->args[0], call->args[1],
	      call->args[2]);
	memcpy(&guest->gpr[13], &call->args[3], 3 * sizeof(u64));
}

static void caller(struct guest_context *guest)
{
	u64 next = fake.guest_entries - 1 - first;

	if (next)
		check_equal((s64)guest->gpr[A0], calls[next - 1].error);
	if (next == count)
		interrupt(guest);
	else
		make(guest, &calls[next]);
}

static struct answer make_calls(const struct covg *list, unsigned int size)
{
	calls = list;
	count = size;
	first = fake.guest_entries;
	return run(caller);
}

#define make_all(list)	make_calls(list, ARRAY_SIZE(list))

static void hand_over(void)
{
	fake_info.handover.magic = COVE_ATTEST_HANDOVER_MAGIC;
	/* Two items of CBOR */
	fake_info.handover.platform_size = 1;
	fake_info.handover.tsm_size = 1;
	memset(fake_info.seed, 7, sizeof(fake_info.seed));
	memset(fake_info.handover.measurement, 9,
	       sizeof(fake_info.handover.measurement));
	tvm = start_tvm();
}

static const struct covg good = {
	EVIDENCE, { IN, 100, CHALLENGE, 1, OUT, PAGE_SIZE }, 0,
};

static void evidence_is_built(void)
{
	const u8 *out;

	hand_over();
	make_calls(&good, 1);
	out = phys_to_virt(AT_DATA);
	/* Tag 18, array of four, {1: -35} as bytes, empty map */
	check_equal(memcmp(out, "\xd2\x84\x44\xa1\x01\x38\x22\xa0\x59", 9), 0);
	check_equal(fake.task_starts, 1);
}

static void evidence_needs_a_root(void)
{
	static const struct covg refused = {
		EVIDENCE, { IN, 100, CHALLENGE, 1, OUT, PAGE_SIZE },
		COVE_ERR_NOT_SUPPORTED,
	};

	tvm = start_tvm();
	make_calls(&refused, 1);
	check_equal(fake.task_starts, 0);
	fake_boot();
	hand_over();
	fake_info.handover.tsm_size = COVE_ATTEST_HANDOVER_TOKEN + 1;
	make_calls(&refused, 1);
}

static void wrong_arguments_are_refused(void)
{
	const u64 nowhere = GUEST_BASE + 2 * PAGE_SIZE;
	const struct covg wrong[] = {
		{ EVIDENCE, { IN, 0, CHALLENGE, 1, OUT, 4096 }, PARAM },
		{ EVIDENCE, { IN, 1025, CHALLENGE, 1, OUT, 4096 }, PARAM },
		{ EVIDENCE, { IN, 100, CHALLENGE, 0, OUT, 4096 }, PARAM },
		{ EVIDENCE, { IN, 100, CHALLENGE, 2, OUT, 4096 }, PARAM },
		{ EVIDENCE, { IN, 100, CHALLENGE, 3, OUT, 4096 }, PARAM },
		{ EVIDENCE, { IN, 100, CHALLENGE, 1, OUT, 0 }, PARAM },
		/* Too small for what the task has built */
		{ EVIDENCE, { IN, 100, CHALLENGE, 1, OUT, 400 }, PARAM },
		{ EVIDENCE, { nowhere, 1, CHALLENGE, 1, OUT, 4096 }, ADDRESS },
		{ EVIDENCE, { nowhere - 1, 2, CHALLENGE, 1, OUT, 9 }, ADDRESS },
		{ EVIDENCE, { IN, 1, nowhere - 63, 1, OUT, 4096 }, ADDRESS },
		{ EVIDENCE, { IN, 1, CHALLENGE, 1, nowhere, 4096 }, ADDRESS },
		{ EVIDENCE, { IN, 1, CHALLENGE, 1, OUT + 1, 8192 }, 0 },
		{ EVIDENCE, { ~0UL, 2, CHALLENGE, 1, OUT, 4096 }, ADDRESS },
		{ ATTCAPS, { OUT, 336 }, 0 },
		{ ATTCAPS, { OUT, 335 }, PARAM },
		{ ATTCAPS, { OUT + 8, 336 }, ADDRESS },
		{ ATTCAPS, { nowhere, 336 }, ADDRESS },
		{ EXTEND, { IN, 48, 6 }, 0 },
		{ EXTEND, { IN, 48, 9 }, 0 },
		{ EXTEND, { IN, 48, 5 }, PARAM },
		{ EXTEND, { IN, 48, 10 }, PARAM },
		{ EXTEND, { IN, 47, 6 }, PARAM },
		{ EXTEND, { IN + 8, 48, 6 }, ADDRESS },
		{ EXTEND, { nowhere, 48, 6 }, ADDRESS },
		{ COVE_COVG_RETRIEVE_SECRET, { OUT, 48 },
		  COVE_ERR_NOT_SUPPORTED },
		{ 99, { 0 }, COVE_ERR_NOT_SUPPORTED },
	};

	hand_over();
	check_equal(make_all(wrong).error, 0);
}

static void capabilities_are_told(void)
{
	static const struct covg ask = { ATTCAPS, { OUT, 4096 }, 0 };
	const u8 *caps;

	hand_over();
	make_calls(&ask, 1);
	caps = phys_to_virt(AT_DATA);
	check_equal(*(const u64 *)caps, COVE_ATTEST_TCB_SVN);
	check_equal(*(const u32 *)(caps + 12), COVE_ATTEST_FORMAT_CBOR);
	check_equal(caps[16], COVE_MEASUREMENT_INITIAL);
	check_equal(caps[17], COVE_MEASUREMENT_RUNTIME);
	/* Type of the descriptors on either side of the border */
	check_equal(caps[20 + 5 * 12 + 4], 0);
	check_equal(caps[20 + 6 * 12 + 4], 1);
	check_equal(caps[20 + 6 * 12 + 8], 0xff);
}

/* new = SHA384(old | digest); register 7 alone changes */
static void extension_is_seen(void)
{
	static const struct covg twice[] = {
		{ EXTEND, { IN, 48, 7 }, 0 },
		{ EXTEND, { IN, 48, 7 }, 0 },
		{ COVE_COVG_READ_MEASUREMENT, { OUT, 48, 7 }, 0 },
	};
	static const struct covg other = {
		COVE_COVG_READ_MEASUREMENT, { OUT, 48, 8 }, 0,
	};
	u8 expected[DIGEST_SIZE] = { 0 }, *digest;
	struct piece pieces[2];
	unsigned int i;

	hand_over();
	digest = phys_to_virt(AT_DATA + PAGE_SIZE);
	memset(digest, 0x5a, DIGEST_SIZE);
	make_all(twice);
	pieces[0] = (struct piece){ expected, DIGEST_SIZE };
	pieces[1] = (struct piece){ digest, DIGEST_SIZE };
	for (i = 0; i < 2; i++)
		sha384(expected, pieces, 2);
	check_equal(memcmp(phys_to_virt(AT_DATA), expected, DIGEST_SIZE), 0);
	make_calls(&other, 1);
	memset(expected, 0, DIGEST_SIZE);
	check_equal(memcmp(phys_to_virt(AT_DATA), expected, DIGEST_SIZE), 0);
}

/* The guest is back at its ECALL, makes it again and gets its answer. */
static void evidence_is_interrupted(void)
{
	static struct covg again;
	struct answer answer;

	hand_over();
	again = good;
	fake.task_interrupts = 2;
	answer = make_calls(&good, 1);
	check_equal(answer.scause, CAUSE_INTERRUPT | 5);
	check_equal(answer.value, 0);
	fake.hart = 1;
	first = fake.guest_entries;
	run(caller);
	first = fake.guest_entries;
	run(caller);
	check_equal(fake.task_starts, 1);
	check_equal(*(u8 *)phys_to_virt(AT_DATA), 0xd2);
	/* Another call in between is another job. */
	fake.task_interrupts = 1;
	make_calls(&good, 1);
	again.args[1] = 50;
	make_calls(&again, 1);
	check_equal(fake.task_starts, 3);
}

static void a_crash_is_an_error(void)
{
	struct covg fails = good;

	hand_over();
	fails.error = COVE_ERR_FAILED;
	fake.task_crashes = true;
	make_calls(&fails, 1);
	fake.task_crashes = false;
	/* What it says of its result is not believed. */
	fake.task_size = COVE_ATTEST_MAX_EVIDENCE + 1;
	make_calls(&fails, 1);
	fake.task_size = 0;
	make_calls(&good, 1);
	check_equal(fake.task_wipes, 2 * 3);
}

/* Tasks of TVMs that are gone before their evidence is there are used again. */
static void tasks_of_dead_tvms_come_back(void)
{
	unsigned int i;

	hand_over();
	for (i = 0; i < 2 * ARCH_TASKS + 1; i++) {
		fake.task_interrupts = 1;
		make_calls(&good, 1);
		check_equal(fake.task_starts, i + 1);
		check_equal(covh(DESTROY_TVM, tvm).error, 0);
		check_equal(covh(RECLAIM_PAGES, POOL_BASE, BUILD_PAGES).error,
			    0);
		tvm = start_tvm();
	}
	make_calls(&good, 1);
	check_equal(*(u8 *)phys_to_virt(AT_DATA), 0xd2);
}

const struct test attest_tests[] = {
	{ "attest: evidence", evidence_is_built },
	{ "attest: no root of trust", evidence_needs_a_root },
	{ "attest: wrong arguments", wrong_arguments_are_refused },
	{ "attest: capabilities", capabilities_are_told },
	{ "attest: extend", extension_is_seen },
	{ "attest: interrupted", evidence_is_interrupted },
	{ "attest: crash", a_crash_is_an_error },
	{ "attest: dead TVMs", tasks_of_dead_tvms_come_back },
	{ NULL, NULL },
};
