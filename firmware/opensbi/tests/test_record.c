/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a reset has left: each domain's record, in memory that its TSM can
 * write, has that domain's own pool zeroed and nothing else.
 */

#include "tsmd.h"

#define PAGES		4
#define SIZE		(PAGES * TSMD_PAGE_SIZE)

_Thread_local unsigned long fake_csr[4096];
_Thread_local void *fake_hart;

static unsigned int passed, failed;
static u8 tsm[COVE_MAX_TSM_DOMAINS][SIZE] __attribute__((aligned(4096)));
static u8 pool[COVE_MAX_TSM_DOMAINS][SIZE] __attribute__((aligned(4096)));
static struct tsmd_domain domains[COVE_MAX_TSM_DOMAINS];

static void check(int ok, const char *what, int line)
{
	passed += !!ok;
	failed += !ok;
	if (!ok)
		printf("test_record.c:%d: %s\n", line, what);
}

#define CHECK(condition)	check(condition, #condition, __LINE__)

static struct tsmd_range range(const u8 *from, unsigned long size)
{
	return (struct tsmd_range){ (unsigned long)from,
				    (unsigned long)from + size };
}

static void set_up(u8 content)
{
	unsigned int i;

	memset(tsm, content, sizeof(tsm));
	memset(pool, 0xa5, sizeof(pool));
	for (i = 0; i < COVE_MAX_TSM_DOMAINS; i++)
		domains[i] = (struct tsmd_domain){
			.index = i,
			.sdid = i + 1,
			.tsm = range(tsm[i], SIZE),
			.pool = range(pool[i], SIZE),
		};
}

/* Pages of a pool that are zero, by bit */
static unsigned int zeroed(unsigned int domain)
{
	unsigned int mask = 0, page;
	unsigned long i;

	for (page = 0; page < PAGES; page++) {
		for (i = 0; i < TSMD_PAGE_SIZE; i++)
			if (pool[domain][page * TSMD_PAGE_SIZE + i])
				break;
		mask |= (i == TSMD_PAGE_SIZE) << page;
	}
	return mask;
}

/* A reset keeps memory; what the driver knew is gone. */
static void note_and_reset(unsigned int domain, const u8 *from,
			   unsigned long size)
{
	domains[domain].confidential = (struct tsmd_ranges){
		.count = 1, .range = { range(from, size) },
	};
	tsmd_record_write(&domains[domain]);
	domains[domain].confidential = (struct tsmd_ranges){ 0 };
}

static void test_own_ranges(void)
{
	set_up(0);
	note_and_reset(0, pool[0] + TSMD_PAGE_SIZE, 2 * TSMD_PAGE_SIZE);
	tsmd_record_scrub(&domains[0]);
	CHECK(zeroed(0) == 6 && zeroed(1) == 0);
	tsmd_record_scrub(&domains[1]);
	CHECK(zeroed(0) == 6 && zeroed(1) == 0);

	/* Once is enough: nothing is confidential any more. */
	memset(pool, 0xa5, sizeof(pool));
	tsmd_record_scrub(&domains[0]);
	CHECK(zeroed(0) == 0);
}

/* A TSM that writes its record anew harms nobody but itself. */
static void test_ranges_of_another(void)
{
	set_up(0);
	note_and_reset(1, pool[0], SIZE);
	tsmd_record_scrub(&domains[1]);
	CHECK(zeroed(0) == 0 && zeroed(1) == 0);
	note_and_reset(1, tsm[0], SIZE);
	memset(tsm[0], 0x5a, SIZE);
	tsmd_record_scrub(&domains[1]);
	CHECK(tsm[0][0] == 0x5a && tsm[0][SIZE - 1] == 0x5a);
}

/* Memory of unknown content may have been confidential. */
static void test_no_record(void)
{
	set_up(0x77);
	tsmd_record_scrub(&domains[1]);
	CHECK(zeroed(0) == 0 && zeroed(1) == 15);
}

int main(void)
{
	test_own_ranges();
	test_ranges_of_another();
	test_no_record();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
