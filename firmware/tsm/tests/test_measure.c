// SPDX-License-Identifier: BSD-2-Clause
/* Digests that Python's hashlib computed by the documented rule. */
#include <string.h>

#include "tests/test.h"

/* Two pages at 0x80200000, byte i of page k is i * 7 + k. */
static const char pages_hex[] =
	"53ac1964442283c8a1ddda4782f0d99b29541ecb926915f3"
	"ed358a7be9f7237acd6cdab0c73a18f4f5c4d2a50ce532ef";
/* Entry 0x80200000 with argument 0x1122334455667788. */
static const char entry_hex[] =
	"00a81dff89cfd6d74976aa99f5901f139852ebcfbeb4c4c9"
	"202a8ae315aead41bd0afccf201f1ed49cde6c9c8b049072";

static void check_digest(const u8 *digest, const char *hex)
{
	char text[2 * DIGEST_SIZE + 1];
	unsigned int i;

	for (i = 0; i < DIGEST_SIZE; i++)
		format(text + 2 * i, 3, "%x%x", digest[i] >> 4,
		       digest[i] & 15u);
	check_equal(strcmp(text, hex), 0);
}

/* FIPS 180-4 example */
static void sha384_of_abc(void)
{
	const struct piece abc[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };
	u8 digest[DIGEST_SIZE];

	sha384(digest, abc, ARRAY_SIZE(abc));
	check_digest(digest,
		     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
		     "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
}

static void tvm_is_measured(void)
{
	u64 id = start_tvm();
	struct tvm *tvm;

	check_equal(tvm_lock(id, &tvm), 0);
	check_digest(tvm->pages_digest, pages_hex);
	check_digest(tvm->entry_digest, entry_hex);
	tvm_unlock(tvm);
}

/* One call with two pages is the same as two calls with one. */
static void order_is_that_of_pages(void)
{
	u64 id, i;
	struct tvm *tvm;
	u8 *source = phys_to_virt(HOST_BASE);

	give_pages(POOL_BASE, BUILD_PAGES);
	id = create_tvm();
	for (i = 0; i < 2 * PAGE_SIZE; i++)
		source[i] = (i % PAGE_SIZE) * 7 + i / PAGE_SIZE;
	covh(ADD_TVM_MEMORY_REGION, id, GUEST_BASE, GUEST_SIZE);
	covh(ADD_TVM_PAGE_TABLE_PAGES, id, AT_TABLES, 4);
	for (i = 0; i < 2; i++)
		check_equal(covh(ADD_TVM_MEASURED_PAGES, id,
				 HOST_BASE + i * PAGE_SIZE,
				 AT_DATA + i * PAGE_SIZE, 0, 1,
				 GUEST_BASE + i * PAGE_SIZE).error, 0);
	check_equal(tvm_lock(id, &tvm), 0);
	check_digest(tvm->pages_digest, pages_hex);
	tvm_unlock(tvm);
}

const struct test measure_tests[] = {
	{ "measure sha384 example", sha384_of_abc },
	{ "measure a TVM", tvm_is_measured },
	{ "measure page by page", order_is_that_of_pages },
	{ NULL, NULL },
};
