// SPDX-License-Identifier: BSD-2-Clause
/*
 * From an image to a TVM that is ready to run. A step that fails reports
 * itself; tvm_teardown() undoes the steps before it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tvm.h"

#define DIRECTORY_PAGES	4
#define PAGE_TABLE_SPAN	512ULL

/* What get_tsm_info answers, cove.md 2.6 */
struct tsm_info {
	uint32_t tsm_state;
	uint32_t tsm_impl_id;
	uint32_t tsm_version;
	uint32_t reserved;
	uint64_t tsm_capabilities;
	uint64_t tvm_state_pages;
	uint64_t tvm_max_vcpus;
	uint64_t tvm_vcpu_state_pages;
};

struct tvm_create_params {
	uint64_t page_directory;
	uint64_t state;
};

/* Where the TVM's confidential pages lie, in this order */
struct layout {
	uint64_t directory;
	uint64_t state;
	uint64_t vcpu;
	uint64_t vcpu_pages;
	uint64_t tables;
	uint64_t table_pages;
	uint64_t data;
	uint64_t pages;
};

static const char *remedy(int64_t error)
{
	switch (error) {
	case COVE_ERR_OUT_OF_RANGES:
		return "no isolation entry is left for another range; end other TVMs";
	case COVE_ERR_OUT_OF_MEMORY:
		return "the TSM has no room left; end other TVMs";
	case COVE_ERR_OUT_OF_PTPAGES:
		return "the TSM wants more page-table pages than this tool gave";
	case COVE_ERR_FAILED:
		return "the TSM's domain may be dead; see its log";
	case COVE_ERR_INVALID_ADDRESS:
		return "the TSM refused an address; pages stay unusable while a CPU is offline, since each must fence";
	default:
		return "the TSM refused this step of the launch; see its log";
	}
}

/* Makes one call; reports and says false when it is refused. */
static bool step(struct tvm *tvm, const char *name, uint32_t fid,
		 const uint64_t *args, size_t count, uint64_t *value)
{
	int64_t error;

	if (stop_requested()) {
		event_error(name, COVE_ERR_FAILED, "stopped by %s before this step",
			    stop_reason());
		return false;
	}
	error = device_covh(tvm->fd, tvm->sdid, fid, args, count, value);
	if (error) {
		tvm->error = error;
		event_error(name, error, "%s", remedy(error));
	}
	return !error;
}

#define STEP(tvm, name, FID, value, ...) \
	step(tvm, name, COVE_COVH_##FID, (uint64_t[]){ __VA_ARGS__ }, \
	     sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), value)

static bool allocate(struct tvm *tvm, struct area *area, uint64_t pages,
		     uint64_t align, uint32_t flags)
{
	struct covh_pool_range range = {
		.pages = pages, .align = align, .flags = flags,
		.sdid = tvm->sdid,
	};
	struct covh_pool_info info = { .sdid = tvm->sdid };

	if (!ioctl(tvm->fd, COVH_POOL_ALLOC, &range)) {
		*area = (struct area){ .base = range.base, .pages = pages };
		return true;
	}
	ioctl(tvm->fd, COVH_POOL_INFO, &info);
	if (!info.size)
		event_error("pool", COVE_ERR_FAILED, "supervisor domain %u has no confidential pool; the device tree needs a teecall,tsm-domain node with one",
			    tvm->sdid);
	else
		event_error("pool", COVE_ERR_OUT_OF_MEMORY, "%" PRIu64 " pages wanted, %llu of the pool are free, perhaps not in one piece; end other TVMs or make the pool larger",
			    pages, (unsigned long long)info.free);
	return false;
}

static void *map_area(struct tvm *tvm, const struct area *area)
{
	void *map = mmap(NULL, area->pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED, tvm->fd, area->base);

	if (map != MAP_FAILED)
		return map;
	event_error("mmap", COVE_ERR_FAILED, "%s", strerror(errno));
	return NULL;
}

static bool get_info(struct tvm *tvm, const void *page, struct tsm_info *info)
{
	uint64_t args[] = { tvm->staging.base, sizeof(*info) };
	int64_t error = device_covh(tvm->fd, tvm->sdid, COVE_COVH_GET_TSM_INFO,
				    args, 2, NULL);

	if (error) {
		event_error("get_tsm_info", error, "no TSM answers in supervisor domain %u; boot with the TSM and its firmware",
			    tvm->sdid);
		return false;
	}
	memcpy(info, page, sizeof(*info));
	if (info->tsm_state == COVE_TSM_STATE_READY)
		return true;
	event_error("get_tsm_info", COVE_ERR_INVALID_STATE, "the TSM is in state %u, not READY; see its log",
		    info->tsm_state);
	return false;
}

/*
 * Page tables for a range, whatever depth the TSM chose below the directory:
 * a table a level for each stretch that one table of this level maps.
 */
static uint64_t page_tables(uint64_t base, uint64_t size)
{
	uint64_t span = PAGE_TABLE_SPAN * PAGE_SIZE;
	uint64_t count = 0;

	for (int level = 0; level < 4; level++) {
		count += (base + size - 1) / span - base / span + 1;
		span *= PAGE_TABLE_SPAN;
	}
	return count;
}

static uint64_t vcpus(const struct tvm *tvm)
{
	return tvm->vcpus ? tvm->vcpus : 1;
}

/* Offsets first; they become addresses when the pool has given the memory. */
static struct layout plan(const struct tvm *tvm, const struct tsm_info *info)
{
	struct layout at = {};

	at.state = DIRECTORY_PAGES;
	at.vcpu = at.state + info->tvm_state_pages;
	at.vcpu_pages = info->tvm_vcpu_state_pages;
	at.tables = at.vcpu + vcpus(tvm) * at.vcpu_pages;
	at.table_pages = page_tables(tvm->image.region_base,
				     tvm->image.region_size);
	at.data = at.tables + at.table_pages;
	at.pages = round_up(at.data + tvm->image.pages, BLOCK_SIZE / PAGE_SIZE) +
		   round_up(tvm->spare.pages, BLOCK_SIZE / PAGE_SIZE);
	return at;
}

static void relocate(struct layout *at, uint64_t base)
{
	at->directory = base;
	at->state = base + at->state * PAGE_SIZE;
	at->vcpu = base + at->vcpu * PAGE_SIZE;
	at->tables = base + at->tables * PAGE_SIZE;
	at->data = base + at->data * PAGE_SIZE;
}

/** Settle the conversions; false after reporting what failed. */
bool tvm_fence(struct tvm *tvm)
{
	struct covh_fence fence = { .sdid = tvm->sdid };

	if (ioctl(tvm->fd, COVH_FENCE, &fence))
		fence.error = COVE_ERR_FAILED;
	if (fence.error) {
		tvm->error = fence.error;
		event_error(fence.fid == COVE_COVH_LOCAL_FENCE ?
			    "local_fence" : "global_fence", fence.error,
			    "%u CPUs did their fence", fence.cpus);
	}
	tvm->unfenced = fence.error;
	if (!fence.error)
		stop_after(COVE_COVH_GLOBAL_FENCE);
	return !fence.error;
}

/* What a host that means ill leaves behind, for the guest to find. */
static bool soil(struct tvm *tvm)
{
	void *map;

	if (!tvm->dirty)
		return true;
	map = map_area(tvm, &tvm->spare);
	if (!map)
		return false;
	memset(map, 0xa5, tvm->spare.pages * PAGE_SIZE);
	munmap(map, tvm->spare.pages * PAGE_SIZE);
	return true;
}

/* Whole blocks, bottom-up: the isolation hardware then needs one range. */
static bool convert(struct tvm *tvm)
{
	struct area *area = &tvm->memory;

	while (area->converted < area->pages) {
		if (!STEP(tvm, "convert_pages", CONVERT_PAGES, NULL,
			  area->base + area->converted * PAGE_SIZE,
			  BLOCK_SIZE / PAGE_SIZE))
			return false;
		area->converted += BLOCK_SIZE / PAGE_SIZE;
		tvm->unfenced = true;
	}
	return tvm_fence(tvm);
}

static bool create(struct tvm *tvm, const struct layout *at, void *page)
{
	struct tvm_create_params params = {
		.page_directory = at->directory, .state = at->state,
	};

	memcpy(page, &params, sizeof(params));
	tvm->created = STEP(tvm, "create_tvm", CREATE_TVM, &tvm->id,
			    tvm->staging.base, sizeof(params));
	return tvm->created;
}

/* Copies the image to where the TSM reads it; what the file leaves out is zero. */
static void stage(const struct tvm *tvm, uint8_t *to)
{
	for (size_t i = 0; i < tvm->image.count; i++) {
		const struct segment *segment = &tvm->image.segments[i];
		uint64_t size = segment->pages * PAGE_SIZE;

		memcpy(to, segment->bytes, segment->size);
		memset(to + segment->size, 0, size - segment->size);
		to += size;
	}
}

static bool add_segments(struct tvm *tvm)
{
	uint64_t source = tvm->staging.base;
	uint64_t target = tvm->first_data;

	for (size_t i = 0; i < tvm->image.count; i++) {
		const struct segment *segment = &tvm->image.segments[i];

		if (!STEP(tvm, "add_tvm_measured_pages", ADD_TVM_MEASURED_PAGES,
			  NULL, tvm->id, source, target, COVE_TVM_PAGE_4K,
			  segment->pages, segment->gpa))
			return false;
		source += segment->pages * PAGE_SIZE;
		target += segment->pages * PAGE_SIZE;
	}
	return true;
}

static bool create_vcpus(struct tvm *tvm, const struct layout *at)
{
	for (uint64_t id = 0; id < vcpus(tvm); id++)
		if (!STEP(tvm, "create_tvm_vcpu", CREATE_TVM_VCPU, NULL,
			  tvm->id, id,
			  at->vcpu + id * at->vcpu_pages * PAGE_SIZE))
			return false;
	return true;
}

static bool build(struct tvm *tvm, const struct layout *at, void *staging)
{
	if (!create(tvm, at, staging) ||
	    !STEP(tvm, "add_tvm_memory_region", ADD_TVM_MEMORY_REGION, NULL,
		  tvm->id, tvm->image.region_base, tvm->image.region_size) ||
	    !STEP(tvm, "add_tvm_page_table_pages", ADD_TVM_PAGE_TABLE_PAGES,
		  NULL, tvm->id, at->tables, at->table_pages) ||
	    !create_vcpus(tvm, at))
		return false;
	stage(tvm, staging);
	return add_segments(tvm) &&
	       STEP(tvm, "finalize_tvm", FINALIZE_TVM, NULL, tvm->id,
		    tvm->image.entry, tvm->arg, 0);
}

static bool launch_with(struct tvm *tvm, void *staging)
{
	struct tsm_info info;
	struct layout at;

	if (!get_info(tvm, staging, &info))
		return false;
	at = plan(tvm, &info);
	if (!allocate(tvm, &tvm->memory, at.pages, BLOCK_SIZE, 0))
		return false;
	relocate(&at, tvm->memory.base);
	tvm->first_data = at.data;
	/* The last whole blocks, so that large pages find their place there. */
	tvm->spare.base = at.directory +
			  (at.pages - round_up(tvm->spare.pages,
					       BLOCK_SIZE / PAGE_SIZE)) * PAGE_SIZE;
	return soil(tvm) && convert(tvm) && build(tvm, &at, staging);
}

/**
 * Launch tvm->image: everything up to finalize_tvm.
 * Returns false after reporting what failed; tear down in either case.
 */
bool tvm_launch(struct tvm *tvm)
{
	void *staging;
	bool ok;

	/* From the top: the conversion blocks grow from the bottom, unbroken. */
	if (!allocate(tvm, &tvm->staging, tvm->image.pages, 0, COVH_POOL_TOP))
		return false;
	staging = map_area(tvm, &tvm->staging);
	if (!staging)
		return false;
	ok = launch_with(tvm, staging);
	munmap(staging, tvm->staging.pages * PAGE_SIZE);
	tvm_free_area(tvm, &tvm->staging);
	if (ok)
		event_launch(tvm);
	return ok;
}
