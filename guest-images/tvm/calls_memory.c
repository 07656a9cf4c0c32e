// SPDX-License-Identifier: BSD-2-Clause
/* Memory that comes when it is touched, memory shared with the host. */
#include "calls.h"
#include "cove.h"
#include "sbi.h"

#define FRESH_PAGES	40
#define WORDS		(PAGE / 8)
#define LONG_TEXT	600
#define INPUT		"from the host"

static struct sbi_ret covg(unsigned long function, unsigned long gpa,
			   unsigned long size)
{
	return sbi_call(COVE_EID_COVG, function, gpa, size, 0);
}

/* 0 if all of the page is zero */
static uint64_t content(unsigned long gpa)
{
	volatile uint64_t *word = (volatile uint64_t *)gpa;
	uint64_t all = 0;

	for (unsigned long i = 0; i < WORDS; i++)
		all |= word[i];
	return all;
}

#define IMAGE_BLOCK	0x80200000UL
#define BLOCK		(2UL << 20)

static void check_blocks(unsigned long end)
{
	volatile uint64_t *word;

	for (unsigned long at = IMAGE_BLOCK + BLOCK; at < end; at += BLOCK) {
		word = (volatile uint64_t *)at;
		check("a block, first word", word[0], 0);
		word[0] = at;
		word = (volatile uint64_t *)(at + BLOCK - PAGE);
		check("a block, last page", word[0], 0);
		word[0] = ~at;
	}
	for (unsigned long at = IMAGE_BLOCK + BLOCK; at < end; at += BLOCK) {
		check("a block, first word written",
		      *(volatile uint64_t *)at, at);
		check("a block, last page written",
		      *(volatile uint64_t *)(at + BLOCK - PAGE), ~at);
	}
}

void check_demand(unsigned long mib)
{
	volatile uint64_t *word;

	for (unsigned long i = 0; i < FRESH_PAGES; i++) {
		check("a fresh page", content(FRESH + i * PAGE), 0);
		word = (volatile uint64_t *)(FRESH + i * PAGE);
		*word = FRESH + i;
	}
	for (unsigned long i = 0; i < FRESH_PAGES; i++) {
		word = (volatile uint64_t *)(FRESH + i * PAGE);
		check("a page that was fresh", *word, FRESH + i);
	}
	check_blocks(IMAGE_BLOCK + (mib << 20));
}

static struct sbi_ret console(unsigned long function, unsigned long size,
			      unsigned long gpa, unsigned long high)
{
	return sbi_call(COVE_EID_DBCN, function, size, gpa, high);
}

/* As a kernel does: until all of it is written. */
static void write_all(const char *text, unsigned long size)
{
	struct sbi_ret ret;

	while (size) {
		ret = console(COVE_DBCN_CONSOLE_WRITE, size, (unsigned long)text,
			      0);
		check("console_write", ret.error, 0);
		if (ret.error || !ret.value || ret.value > size)
			return;
		text += ret.value;
		size -= ret.value;
	}
}

/* Across a page border of the guest, and more than one exit carries. */
static void check_long_text(void)
{
	char *text = (char *)(FRESH + 3 * PAGE - LONG_TEXT / 2);

	for (unsigned long i = 0; i < LONG_TEXT; i++)
		text[i] = 'a' + i % 26;
	text[LONG_TEXT - 1] = '\n';
	write_all(text, LONG_TEXT);
}

/* The console of a guest that is older than DBCN */
static void check_legacy(void)
{
	for (const char *text = "calls: written by putchar\n"; *text; text++)
		check("legacy putchar", sbi_call(COVE_EID_LEGACY_PUTCHAR, 0,
						 *text, 0, 0).error, 0);
}

void check_console(void)
{
	static char input[64];
	struct sbi_ret ret;

	check_long_text();
	check_legacy();
	check("console_write of nothing",
	      console(COVE_DBCN_CONSOLE_WRITE, 0, FRESH, 0).error, 0);
	check("console_write above 64 bits",
	      console(COVE_DBCN_CONSOLE_WRITE, 1, FRESH, 1).error,
	      COVE_ERR_INVALID_PARAM);
	check("console_write of no memory",
	      console(COVE_DBCN_CONSOLE_WRITE, 1, 0x40000000, 0).error,
	      COVE_ERR_INVALID_PARAM);
	/* Never touched: it is populated first, and is zero. */
	ret = console(COVE_DBCN_CONSOLE_READ, sizeof(input),
		      FRESH + (FRESH_PAGES + 1) * PAGE, 0);
	check("console_read", ret.error, 0);
	check("console_read, bytes", ret.value, sizeof(INPUT) - 1);
	for (unsigned int i = 0; i < sizeof(INPUT) - 1; i++)
		check("console_read, text",
		      ((char *)(FRESH + (FRESH_PAGES + 1) * PAGE))[i], INPUT[i]);
	ret = console(COVE_DBCN_CONSOLE_READ, sizeof(input),
		      (unsigned long)input, 0);
	check("console_read of no more", ret.value, 0);
}

static void check_wrong_ranges(void)
{
	check("share of nothing",
	      covg(COVE_COVG_SHARE_MEMORY_REGION, SHARED, 0).error,
	      COVE_ERR_INVALID_PARAM);
	check("share of half a page",
	      covg(COVE_COVG_SHARE_MEMORY_REGION, SHARED, 2048).error,
	      COVE_ERR_INVALID_PARAM);
	check("share from half a page on",
	      covg(COVE_COVG_SHARE_MEMORY_REGION, SHARED + 2048, PAGE).error,
	      COVE_ERR_INVALID_ADDRESS);
	check("share of no memory",
	      covg(COVE_COVG_SHARE_MEMORY_REGION, 0x40000000, PAGE).error,
	      COVE_ERR_INVALID_PARAM);
	check("unshare of own memory",
	      covg(COVE_COVG_UNSHARE_MEMORY_REGION, SHARED, PAGE).error,
	      COVE_ERR_INVALID_PARAM);
	check("unshare from half a page on",
	      covg(COVE_COVG_UNSHARE_MEMORY_REGION, SHARED + 2048, PAGE).error,
	      COVE_ERR_INVALID_ADDRESS);
}

void check_sharing(void)
{
	static const char text[] = "calls: written from shared memory\n";
	volatile uint64_t *word = (volatile uint64_t *)SHARED;
	char *bytes = (char *)SHARED;

	check_wrong_ranges();
	word[0] = 0x5ec2e7;
	word[WORDS - 1] = 0x5ec2e7;
	check("share", covg(COVE_COVG_SHARE_MEMORY_REGION, SHARED,
			    2 * PAGE).error, 0);
	check("share again", covg(COVE_COVG_SHARE_MEMORY_REGION, SHARED,
				  PAGE).error, COVE_ERR_INVALID_PARAM);
	/* What was there is gone, and not the host's to read. */
	check("a shared page, first word", word[0] == 0x5ec2e7, 0);
	check("a shared page, last word", word[WORDS - 1] == 0x5ec2e7, 0);
	for (unsigned int i = 0; i < sizeof(text); i++)
		bytes[i] = text[i];
	check("console_write of shared memory",
	      console(COVE_DBCN_CONSOLE_WRITE, sizeof(text) - 1, SHARED,
		      0).error, 0);
	check("measurement into shared memory",
	      read_measurement(bytes, PAGE, COVE_MEASUREMENT_TVM_PAGES),
	      COVE_ERR_INVALID_ADDRESS);
	check("unshare", covg(COVE_COVG_UNSHARE_MEMORY_REGION, SHARED,
			      2 * PAGE).error, 0);
	check("an unshared page", content(SHARED), 0);
}
