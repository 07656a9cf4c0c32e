// SPDX-License-Identifier: BSD-2-Clause
/* Console calls whose bytes the TSM carries. */
#include "tests/run.h"

static u64 text_gpa, text_size;

static void write_text(struct guest_context *guest)
{
	ecall(guest, COVE_EID_DBCN, COVE_DBCN_CONSOLE_WRITE, text_size,
	      text_gpa, 0);
}

static void read_text(struct guest_context *guest)
{
	ecall(guest, COVE_EID_DBCN, COVE_DBCN_CONSOLE_READ, text_size,
	      text_gpa, 0);
}

static u64 count_wanted;

static void see_count(struct guest_context *guest)
{
	check_equal(guest->gpr[A0], 0);
	check_equal(guest->gpr[A1], count_wanted);
	interrupt(guest);
}

static void console_carries_bytes(void)
{
	tvm = start_tvm();
	text_gpa = GUEST_BASE + PAGE_SIZE - 100;
	text_size = 1000;
	memset(phys_to_virt(AT_DATA + PAGE_SIZE - 100), 'x', 100);
	check_equal(run(write_text).scause, CAUSE_ECALL_VS);
	check_equal(test_nacl()->gpr[A0], 100);
	check_equal(test_nacl()->gpr[A1], ~0UL);
	check_equal(test_nacl()->console[99], 'x');
	check_equal(test_nacl()->console[100], 0);
	test_nacl()->gpr[A0] = 0;
	/* More than was there to write */
	test_nacl()->gpr[A1] = 5000;
	count_wanted = 100;
	check_equal(run(see_count).error, 0);
}

static void console_reads_what_fits(void)
{
	tvm = start_tvm();
	text_gpa = GUEST_BASE + 16;
	text_size = 8;
	memset(phys_to_virt(AT_DATA), 'o', 64);
	check_equal(run(read_text).scause, CAUSE_ECALL_VS);
	memset(test_nacl()->console, 'n', 64);
	test_nacl()->gpr[A0] = 0;
	test_nacl()->gpr[A1] = 64;
	count_wanted = 8;
	check_equal(run(see_count).error, 0);
	check_equal(memcmp(phys_to_virt(AT_DATA), "ooooooooooooooooNOPE", 16),
		    0);
	check_equal(memcmp(phys_to_virt(AT_DATA + 16), "nnnnnnnnoooo", 12), 0);
}

static void console_wants_the_page_first(void)
{
	struct answer answer;

	tvm = start_tvm();
	text_gpa = GUEST_BASE + 6 * PAGE_SIZE;
	text_size = 8;
	answer = run(read_text);
	check_equal(answer.scause, CAUSE_STORE_GUEST_PAGE);
	check_equal(covh(ADD_TVM_ZERO_PAGES, tvm, AT_DATA + 4 * PAGE_SIZE, 0,
			 1, text_gpa).error, 0);
	check_equal(run(read_text).scause, CAUSE_ECALL_VS);
}

const struct test console_tests[] = {
	{ "console: bytes are carried", console_carries_bytes },
	{ "console: reads what fits", console_reads_what_fits },
	{ "console: wants the page", console_wants_the_page_first },
	{ NULL, NULL },
};
