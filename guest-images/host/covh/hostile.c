// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A host that means harm, for the tests of the firmware: raw calls may name
 * SSE, and there is a handler that its events can be pointed at. Off until
 * root writes Y to /sys/module/covh/parameters/hostile.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include <asm/csr.h>

#include "covh.h"
#include "hostile.h"

bool covh_hostile;
module_param_named(hostile, covh_hostile, bool, 0600);
MODULE_PARM_DESC(hostile, "let raw calls register SSE events, for tests");

/* Written by covh_sse_entry alone, one event at a time. */
static struct covh_sse_record record;

/* "handler record-virtual record-physical count sepc time": what a test needs */
static int get_sse(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "0x%lx 0x%lx 0x%llx %llu 0x%llx %llu\n",
			  (unsigned long)covh_sse_entry,
			  (unsigned long)&record,
			  (u64)page_to_phys(vmalloc_to_page(&record)) +
				offset_in_page(&record),
			  READ_ONCE(record.count), READ_ONCE(record.sepc),
			  READ_ONCE(record.time));
}

static const struct kernel_param_ops sse_ops = { .get = get_sse };
module_param_cb(hostile_sse, &sse_ops, NULL, 0400);
MODULE_PARM_DESC(hostile_sse, "the SSE handler, its record and what is in it");

/* "time hpmcounter3": of the CPU that reads the file */
static int get_counter(char *buffer, const struct kernel_param *param)
{
	unsigned long flags, time, count;

	local_irq_save(flags);
	time = csr_read(CSR_TIME);
	count = csr_read(CSR_HPMCOUNTER3);
	local_irq_restore(flags);
	return sysfs_emit(buffer, "%lu %lu\n", time, count);
}

static const struct kernel_param_ops counter_ops = { .get = get_counter };
module_param_cb(hostile_counter, &counter_ops, NULL, 0400);
MODULE_PARM_DESC(hostile_counter, "time and the first programmable counter");
