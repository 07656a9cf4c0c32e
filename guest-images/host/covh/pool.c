// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The confidential pool: memory that Linux leaves alone, page by page ours. Each
 * TSM domain has a part of it; pages are counted through, part behind part.
 *
 * The driver keeps no mapping of the pool. A page is taken while somebody owns
 * it or while it is confidential, so that a page the host cannot touch is
 * never handed out.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/slab.h>

#include "covh.h"

/* Owner of pages that could not be reclaimed: lost until the machine restarts. */
#define OWNER_LOST	U32_MAX

struct pool_page {
	u32 owner;
	u8 sdid;
	bool confidential;
};

/* What one domain takes pages from; the first of them is number @first. */
struct pool_part {
	u32 sdid;
	u64 base;
	u64 first;
	u64 pages;
};

static struct {
	struct mutex lock;
	struct pool_part part[COVE_MAX_TSM_DOMAINS];
	unsigned int parts;
	u64 pages;
	unsigned long *taken;
	struct pool_page *page;
} pool = { .lock = __MUTEX_INITIALIZER(pool.lock) };

void covh_pool_lock(void)
{
	mutex_lock(&pool.lock);
}

void covh_pool_unlock(void)
{
	mutex_unlock(&pool.lock);
}

/* The part of a domain; for SDID 0, which is the host's own, the first one. */
static const struct pool_part *part_of(u32 sdid)
{
	unsigned int i;

	for (i = 0; i < pool.parts; i++)
		if (!sdid || pool.part[i].sdid == sdid)
			return &pool.part[i];
	return NULL;
}

/* First page of a range that lies wholly in one part of the pool, or -1. */
static s64 index_of(u64 base, u64 pages)
{
	unsigned int i;
	u64 first;

	if (!PAGE_ALIGNED(base))
		return -1;
	for (i = 0; i < pool.parts; i++) {
		const struct pool_part *part = &pool.part[i];

		if (base < part->base)
			continue;
		first = (base - part->base) >> PAGE_SHIFT;
		if (first < part->pages && pages <= part->pages - first)
			return part->first + first;
	}
	return -1;
}

static const struct pool_part *part_at(u64 i)
{
	const struct pool_part *part = pool.part;

	while (i - part->first >= part->pages)
		part++;
	return part;
}

static u64 address_of(u64 i)
{
	const struct pool_part *part = part_at(i);

	return part->base + ((i - part->first) << PAGE_SHIFT);
}

static void update_taken(u64 i)
{
	if (pool.page[i].owner || pool.page[i].confidential)
		__set_bit(i, pool.taken);
	else
		__clear_bit(i, pool.taken);
}

static void set_owner(u64 first, u64 pages, u32 owner)
{
	u64 i;

	for (i = first; i < first + pages; i++) {
		pool.page[i].owner = owner;
		update_taken(i);
	}
}

/* covh_pool_owned() - is the whole range owned by one file? Takes the lock held. */
bool covh_pool_owned(u32 owner, u64 base, u64 pages)
{
	s64 first = index_of(base, pages);
	u64 i;

	if (first < 0 || !pages)
		return false;
	for (i = first; i < first + pages; i++)
		if (pool.page[i].owner != owner)
			return false;
	return true;
}

/* covh_pool_mark() - pages changed sides. Takes the lock held. */
void covh_pool_mark(u32 sdid, u64 base, u64 pages, bool confidential)
{
	s64 first = index_of(base, pages);
	u64 i;

	if (first < 0)
		return;
	for (i = first; i < first + pages; i++) {
		pool.page[i].confidential = confidential;
		pool.page[i].sdid = sdid;
		update_taken(i);
	}
}

/* From the number of a page to that of its frame */
static s64 frame_offset(const struct pool_part *part)
{
	return (s64)(part->base >> PAGE_SHIFT) - (s64)part->first;
}

static s64 find_from_bottom(const struct pool_part *part, u64 pages, u64 align)
{
	u64 end = part->first + part->pages;
	u64 i = bitmap_find_next_zero_area_off(pool.taken, end, part->first,
					       pages, align - 1,
					       frame_offset(part) & (align - 1));

	return i < end ? (s64)i : -1;
}

static s64 find_from_top(const struct pool_part *part, u64 pages, u64 align)
{
	s64 frame = frame_offset(part), first = part->first;
	s64 i = first + part->pages - pages;

	while (i >= first) {
		u64 next;

		i = (s64)((u64)(frame + i) & ~(align - 1)) - frame;
		if (i < first)
			break;
		next = find_next_bit(pool.taken, i + pages, i);
		if (next >= i + pages)
			return i;
		i = next - pages;
	}
	return -1;
}

static bool valid_request(const struct covh_pool_range *range)
{
	return range->pages && !(range->flags & ~COVH_POOL_TOP) &&
	       (!range->align || is_power_of_2(range->align));
}

/* covh_pool_alloc() - give a file pages; fills range->base */
int covh_pool_alloc(struct covh_file *file, struct covh_pool_range *range)
{
	const struct pool_part *part = part_of(range->sdid);
	u64 align = max_t(u64, range->align >> PAGE_SHIFT, 1);
	s64 first = -1;

	if (!part)
		return -ENODEV;
	if (!valid_request(range))
		return -EINVAL;
	if (range->pages > part->pages || align > part->pages)
		return -ENOMEM;

	mutex_lock(&pool.lock);
	if (range->flags & COVH_POOL_TOP)
		first = find_from_top(part, range->pages, align);
	else
		first = find_from_bottom(part, range->pages, align);
	if (first >= 0) {
		set_owner(first, range->pages, file->id);
		file->pages += range->pages;
		range->base = address_of(first);
	}
	mutex_unlock(&pool.lock);
	return first < 0 ? -ENOMEM : 0;
}

static bool any_confidential(u64 first, u64 pages)
{
	u64 i;

	for (i = first; i < first + pages; i++)
		if (pool.page[i].confidential)
			return true;
	return false;
}

/* covh_pool_free() - take pages back; confidential ones stay with the file */
int covh_pool_free(struct covh_file *file, u64 base, u64 pages,
		   struct address_space *mapping)
{
	int ret = 0;

	mutex_lock(&pool.lock);
	if (!covh_pool_owned(file->id, base, pages)) {
		ret = -EINVAL;
	} else if (any_confidential(index_of(base, pages), pages)) {
		ret = -EBUSY;
	} else {
		/* Old mappings must not reach the next owner's data. */
		unmap_mapping_range(mapping, base, pages << PAGE_SHIFT, 1);
		set_owner(index_of(base, pages), pages, 0);
		file->pages -= pages;
	}
	mutex_unlock(&pool.lock);
	return ret;
}

/* covh_pool_info() - one domain's part; all zero if it has none */
void covh_pool_info(struct covh_pool_info *info)
{
	const struct pool_part *part = part_of(info->sdid);
	u64 i;

	*info = (struct covh_pool_info){ .sdid = info->sdid };
	if (!part)
		return;
	mutex_lock(&pool.lock);
	info->base = part->base;
	info->size = part->pages << PAGE_SHIFT;
	for (i = part->first; i < part->first + part->pages; i++) {
		info->free += !test_bit(i, pool.taken);
		info->confidential += pool.page[i].confidential;
	}
	mutex_unlock(&pool.lock);
}

static bool is_owned_confidential(u64 i, u32 owner)
{
	return pool.page[i].owner == owner && pool.page[i].confidential;
}

/**
 * covh_pool_next_confidential() - next run of an owner's confidential pages
 * @owner: whose
 * @from: in: number of the page to look from; out: of that behind the run
 * @base: out: the run
 * @pages: out: its length
 * @sdid: out: the domain that all of the run was given to
 */
bool covh_pool_next_confidential(u32 owner, u64 *from, u64 *base, u64 *pages,
				 u32 *sdid)
{
	u64 i, end;

	mutex_lock(&pool.lock);
	i = *from;
	while (i < pool.pages && !is_owned_confidential(i, owner))
		i++;
	for (end = i; end < pool.pages; end++)
		if (!is_owned_confidential(end, owner) ||
		    part_at(end) != part_at(i) ||
		    pool.page[end].sdid != pool.page[i].sdid)
			break;
	*from = end;
	if (end > i) {
		*base = address_of(i);
		*pages = end - i;
		*sdid = pool.page[i].sdid;
	}
	mutex_unlock(&pool.lock);
	return end > i;
}

/* covh_pool_disown() - free a file's pages; returns how many are lost */
u64 covh_pool_disown(struct covh_file *file)
{
	u64 lost = 0;
	u64 i;

	mutex_lock(&pool.lock);
	for (i = 0; i < pool.pages; i++) {
		if (pool.page[i].owner != file->id)
			continue;
		lost += pool.page[i].confidential;
		set_owner(i, 1, pool.page[i].confidential ? OWNER_LOST : 0);
	}
	file->pages = 0;
	mutex_unlock(&pool.lock);
	return lost;
}

/* Without no-map, Linux would use the memory as its own: that must not pass. */
static int find_memory(const struct device_node *domain, struct resource *res)
{
	struct device_node *node;
	int ret;

	node = of_parse_phandle(domain, "confidential-pool", 0);
	if (!node)
		return -EINVAL;
	ret = of_address_to_resource(node, 0, res);
	if (!ret && !of_property_read_bool(node, "no-map"))
		ret = -EINVAL;
	of_node_put(node);
	return ret;
}

static int add_part(const struct device_node *domain)
{
	struct pool_part *part = &pool.part[pool.parts];
	struct resource res;
	int ret;

	if (pool.parts == COVE_MAX_TSM_DOMAINS)
		return -ENOSPC;
	ret = of_property_read_u32(domain, "sdid", &part->sdid);
	if (!ret)
		ret = find_memory(domain, &res);
	if (ret)
		return ret;
	part->base = res.start;
	part->first = pool.pages;
	part->pages = resource_size(&res) >> PAGE_SHIFT;
	pool.pages += part->pages;
	pool.parts++;
	return 0;
}

static int find_parts(void)
{
	struct device_node *node;
	int ret;

	for_each_compatible_node(node, NULL, "teecall,tsm-domain") {
		ret = add_part(node);
		if (!ret)
			continue;
		pr_err("bad node %pOF (%d): needs sdid, and a confidential-pool with reg and no-map\n",
		       node, ret);
		of_node_put(node);
		return ret;
	}
	return 0;
}

static int allocate_tables(u64 pages)
{
	pool.taken = bitmap_zalloc(pages, GFP_KERNEL);
	pool.page = kvcalloc(pages, sizeof(*pool.page), GFP_KERNEL);
	if (pool.taken && pool.page)
		return 0;
	covh_pool_exit();
	return -ENOMEM;
}

/* covh_pool_init() - find the pool; a machine without one still has calls */
int covh_pool_init(void)
{
	int ret = find_parts();

	if (ret)
		return ret;
	if (!pool.parts) {
		pr_info("no teecall,tsm-domain in the device tree\n");
		return 0;
	}
	return allocate_tables(pool.pages);
}

void covh_pool_exit(void)
{
	bitmap_free(pool.taken);
	kvfree(pool.page);
}
