/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page of 1 GiB for a guest, made smaller down to 4 KiB and one again. The
 * guest says after every step whether its memory is what it was. Runs as the
 * host; POOL_BASE is a multiple of 1 GiB.
 *
 * Lines on the console: `bench: STEP RUNS` and zeros, `bench: done` at the end.
 */
#include "bench.h"
#include "cove.h"
#include "giga.h"
#include "launch.h"

#define POOL		(POOL_BASE + GIGA)
#define NACL_A0		10
#define DIRT		0x5ec2e75ec2e7UL
/* The blocks that become small pages, with the probes in them */
#define FIRST		GIGA_GPA
#define LAST		(GIGA_GPA + GIGA - BLOCK)

extern const char giga_guest[];

static uint64_t nacl[COVE_NACL_SHMEM_SIZE / 8] __attribute__((aligned(4096)));
static const uint64_t probes[] = { GIGA_PROBES };
static uint64_t runs;

static struct launch tvm = {
	.pool = POOL,
	.image = giga_guest,
	.pages = 1,
	.gpa = GUEST_GPA,
	.gpa_end = GUEST_GPA + PAGE,
	.entry = GUEST_GPA,
};

static void print_step(const char *name)
{
	static const struct sample none;

	report(name, runs, 0, &none);
}

/* A call about the guest's gigabyte, and the answer that it must get */
static void must(const char *name, int64_t wanted, uint64_t function,
		 uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	struct sample call = {
		.a = { tvm.id, a1, a2, a3, a4, 0,
		       SDID << COVE_A6_SDID_SHIFT | function, COVE_EID_COVH },
	};

	measure(&call);
	if ((int64_t)call.a[0] != wanted)
		give_up(name, call.a[0]);
}

#define CALL(name, FUNCTION, ...)					\
	must(name, COVE_SUCCESS, COVE_COVH_##FUNCTION, __VA_ARGS__)
#define REFUSED(name, FUNCTION, ...)					\
	must(name, COVE_ERR_INVALID_ADDRESS, COVE_COVH_##FUNCTION, __VA_ARGS__)

static void guest_looks(const char *step)
{
	runs++;
	CALL("run_tvm_vcpu", RUN_TVM_VCPU, 0, 0, 0, 0);
	if (nacl[NACL_A0] != runs << 1)
		give_up(step, nacl[NACL_A0]);
	print_step(step);
}

/* Take a range from the guest, all of its leaves, and wait for the fence. */
static void take(uint64_t gpa, uint64_t size)
{
	CALL("invalidate", TVM_INVALIDATE_PAGES, gpa, size, 0, 0);
	CALL("fence", TVM_FENCE, 0, 0, 0, 0);
}

static void give_one_page(void)
{
	/* Neither place may be off by a smaller page. */
	REFUSED("map_off", ADD_TVM_ZERO_PAGES, POOL_BASE, COVE_TVM_PAGE_1G, 1,
		GIGA_GPA + BLOCK);
	REFUSED("map_of_off", ADD_TVM_ZERO_PAGES, POOL_BASE + BLOCK,
		COVE_TVM_PAGE_1G, 1, GIGA_GPA);
	CALL("map", ADD_TVM_ZERO_PAGES, POOL_BASE, COVE_TVM_PAGE_1G, 1,
	     GIGA_GPA);
	REFUSED("part_of_1g", TVM_INVALIDATE_PAGES, GIGA_GPA, BLOCK, 0, 0);
	guest_looks("mapped");
}

static void split(void)
{
	take(GIGA_GPA, GIGA);
	REFUSED("skip_2m", DEMOTE_PAGE, GIGA_GPA, COVE_TVM_PAGE_4K, 0, 0);
	CALL("demote_1g", DEMOTE_PAGE, GIGA_GPA, COVE_TVM_PAGE_2M, 0, 0);
	REFUSED("part_of_2m", TVM_INVALIDATE_PAGES, FIRST, PAGE, 0, 0);
	guest_looks("split_2m");
	take(FIRST, BLOCK);
	take(LAST, BLOCK);
	CALL("demote_2m", DEMOTE_PAGE, FIRST, COVE_TVM_PAGE_4K, 0, 0);
	CALL("demote_2m", DEMOTE_PAGE, LAST, COVE_TVM_PAGE_4K, 0, 0);
	guest_looks("split_4k");
}

static void join(void)
{
	take(GIGA_GPA, GIGA);
	/* Two of the blocks are small pages still. */
	REFUSED("mixed", PROMOTE_PAGE, GIGA_GPA, COVE_TVM_PAGE_1G, 0, 0);
	CALL("promote_2m", PROMOTE_PAGE, FIRST, COVE_TVM_PAGE_2M, 0, 0);
	CALL("promote_2m", PROMOTE_PAGE, LAST, COVE_TVM_PAGE_2M, 0, 0);
	/* A block that was made one is mapped again. */
	REFUSED("mapped", PROMOTE_PAGE, GIGA_GPA, COVE_TVM_PAGE_1G, 0, 0);
	CALL("validate", TVM_VALIDATE_PAGES, FIRST + BLOCK,
	     LAST - FIRST - BLOCK, 0, 0);
	REFUSED("part_of_2m", TVM_INVALIDATE_PAGES, LAST, PAGE, 0, 0);
	guest_looks("joined_2m");
	take(GIGA_GPA, GIGA);
	CALL("promote_1g", PROMOTE_PAGE, GIGA_GPA, COVE_TVM_PAGE_1G, 0, 0);
	REFUSED("part_of_1g", TVM_INVALIDATE_PAGES, GIGA_GPA, BLOCK, 0, 0);
	guest_looks("joined_1g");
}

static volatile uint64_t *probe(unsigned int number)
{
	return (uint64_t *)(POOL_BASE + probes[number]);
}

#define PROBES	(sizeof(probes) / sizeof(probes[0]))

static void make_guest(void)
{
	int64_t error = launch_set_shmem(nacl);

	if (!error)
		error = launch_convert(POOL_BASE, GIGA / PAGE + LAUNCH_PAGES + 1,
				       &tvm.refused);
	if (!error)
		error = launch_create(&tvm);
	if (error)
		give_up(tvm.refused ? tvm.refused : "set_shmem", error);
	CALL("region", ADD_TVM_MEMORY_REGION, GIGA_GPA, GIGA, 0, 0);
	error = launch_finalize(&tvm);
	if (error)
		give_up(tvm.refused, error);
}

static void take_all_back(void)
{
	unsigned int i;

	CALL("destroy", DESTROY_TVM, 0, 0, 0, 0);
	tvm.id = POOL_BASE;
	CALL("reclaim", RECLAIM_PAGES, GIGA / PAGE + LAUNCH_PAGES + 1, 0, 0, 0);
	for (i = 0; i < PROBES; i++)
		if (*probe(i))
			give_up("not_zero", i);
	print_step("reclaimed");
}

void bench_main(uint64_t self)
{
	unsigned int i;

	(void)self;
	for (i = 0; i < PROBES; i++)
		*probe(i) = DIRT;
	make_guest();
	give_one_page();
	split();
	join();
	take_all_back();
	done();
}
