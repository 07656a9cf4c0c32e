// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that shares a page with the host and takes it back, arg times over.
 * The page is empty each time it comes back.
 */
#include "cove.h"
#include "sbi.h"

#define PAGE	4096UL
#define MARK	0x5ec2e7UL

/* Memory behind the image that nothing was put into */
static volatile uint64_t *const page = (volatile uint64_t *)0x802c0000UL;

static unsigned long ask(unsigned long function)
{
	return sbi_call(COVE_EID_COVG, function, (unsigned long)page, PAGE,
			0).error;
}

/* What the guest writes for the host to see is gone when the page is its own again. */
static int share_and_unshare(void)
{
	page[0] = MARK;
	if (ask(COVE_COVG_SHARE_MEMORY_REGION))
		return 1;
	page[0] = MARK;
	page[PAGE / sizeof(uint64_t) - 1] = MARK;
	return ask(COVE_COVG_UNSHARE_MEMORY_REGION) || page[0] ||
	       page[PAGE / sizeof(uint64_t) - 1];
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	(void)vcpu_id;
	print("share: start\n");
	for (; arg; arg--)
		if (share_and_unshare()) {
			print("share: wrong\n");
			return;
		}
	print("share: done\n");
}
