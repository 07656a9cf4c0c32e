// SPDX-License-Identifier: BSD-2-Clause
/* Where entry.S goes on in C once, at boot. */
#include "call/call.h"
#include "attest/attest.h"
#include "mem/files.h"
#include "trace/trace.h"

void tsm_boot(const struct tsm_boot_info *info) __attribute__((noreturn));

_Static_assert(sizeof(struct teecall) == 72, "entry.S builds this frame");
_Static_assert(COVE_MAX_HARTS == 8, "entry.S has this many stacks");

/* M-mode wrote it for this ABI; anything else is not worth starting on. */
static void check_boot_info(const struct tsm_boot_info *info)
{
	if (info->magic != COVE_BOOT_INFO_MAGIC ||
	    info->version != TEECALL_ABI_VERSION)
		tsm_panic("boot information of another ABI: version %u",
			  info->version);
	if (info->hart_count > COVE_MAX_HARTS ||
	    info->ram_count > COVE_MAX_RAM_RANGES)
		tsm_panic("boot information: %u harts, %u RAM ranges",
			  info->hart_count, info->ram_count);
}

void tsm_boot(const struct tsm_boot_info *info)
{
	const char *missing;

	check_boot_info(info);
	trace_init(info);
	missing = arch_probe(info);
	if (missing)
		tsm_panic("the hart has no %s", missing);
	scrub_init(info);
	fence_init();
	host_init(info);
	files_init(info);
	pages_init(info, arch_image_end());
	tvm_init();
	long_init();
	attest_init(info);
	tsm_print("tsm: ABI %u, SDID %u, %u harts, pool 0x%lx+0x%lx",
		  info->version, info->sdid, info->hart_count,
		  (u64)info->pool.base, (u64)info->pool.size);
	tsmd_ready(TEECALL_ABI_VERSION);
}
