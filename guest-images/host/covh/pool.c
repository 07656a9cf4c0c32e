// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The confidential pool: memory that Linux leaves alone, page by page ours.
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

static struct {
	struct mutex lock;
	u64 base;
	u64 pages;
	u64 confidential;
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

/* First page of a range that lies wholly in the pool, or -1. */
static s64 index_of(u64 base, u64 pages)
{
	u64 first;

	if (base < pool.base || !PAGE_ALIGNED(base))
		return -1;
	first = (base - pool.base) >> PAGE_SHIFT;
	if (first >= pool.pages || pages > pool.pages - first)
		return -1;
	return first;
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
		pool.confidential += confidential - pool.page[i].confidential;
		pool.page[i].confidential = confidential;
		pool.page[i].sdid = sdid;
		update_taken(i);
	}
}

static s64 find_from_bottom(u64 pages, u64 align)
{
	u64 offset = pool.base >> PAGE_SHIFT & (align - 1);
	u64 i = bitmap_find_next_zero_area_off(pool.taken, pool.pages, 0, pages,
					       align - 1, offset);

	return i < pool.pages ? (s64)i : -1;
}

static s64 find_from_top(u64 pages, u64 align)
{
	u64 frame = pool.base >> PAGE_SHIFT;
	s64 i = pool.pages - pages;

	while (i >= 0) {
		u64 next;

		i = (s64)((frame + i) & ~(align - 1)) - (s64)frame;
		if (i < 0)
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
	return range->pages && !range->reserved &&
	       !(range->flags & ~COVH_POOL_TOP) &&
	       (!range->align || is_power_of_2(range->align));
}

/* covh_pool_alloc() - give a file pages; fills range->base */
int covh_pool_alloc(struct covh_file *file, struct covh_pool_range *range)
{
	u64 align = max_t(u64, range->align >> PAGE_SHIFT, 1);
	s64 first = -1;

	if (!pool.pages)
		return -ENODEV;
	if (!valid_request(range))
		return -EINVAL;
	if (range->pages > pool.pages || align > pool.pages)
		return -ENOMEM;

	mutex_lock(&pool.lock);
	if (range->flags & COVH_POOL_TOP)
		first = find_from_top(range->pages, align);
	else
		first = find_from_bottom(range->pages, align);
	if (first >= 0) {
		set_owner(first, range->pages, file->id);
		file->pages += range->pages;
		range->base = pool.base + ((u64)first << PAGE_SHIFT);
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

void covh_pool_info(struct covh_pool_info *info)
{
	mutex_lock(&pool.lock);
	info->base = pool.base;
	info->size = pool.pages << PAGE_SHIFT;
	info->free = pool.pages;
	if (pool.pages)
		info->free -= bitmap_weight(pool.taken, pool.pages);
	info->confidential = pool.confidential;
	mutex_unlock(&pool.lock);
}

static bool is_owned_confidential(u64 i, u32 owner)
{
	return pool.page[i].owner == owner && pool.page[i].confidential;
}

/**
 * covh_pool_next_confidential() - next run of an owner's confidential pages
 * @owner: whose
 * @base: in: where to look from; out: the run
 * @pages: out: its length
 * @sdid: out: the domain that all of the run was given to
 */
bool covh_pool_next_confidential(u32 owner, u64 *base, u64 *pages, u32 *sdid)
{
	u64 i, end;

	mutex_lock(&pool.lock);
	i = *base > pool.base ? (*base - pool.base) >> PAGE_SHIFT : 0;
	while (i < pool.pages && !is_owned_confidential(i, owner))
		i++;
	for (end = i; end < pool.pages; end++)
		if (!is_owned_confidential(end, owner) ||
		    pool.page[end].sdid != pool.page[i].sdid)
			break;
	if (end > i) {
		*base = pool.base + (i << PAGE_SHIFT);
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
static int find_pool(struct resource *res)
{
	struct device_node *node;
	int ret;

	node = of_find_compatible_node(NULL, NULL, "teecall,confidential-pool");
	if (!node)
		return -ENODEV;
	ret = of_address_to_resource(node, 0, res);
	if (!ret && !of_property_read_bool(node, "no-map"))
		ret = -EINVAL;
	of_node_put(node);
	return ret;
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
	struct resource res;
	int ret = find_pool(&res);

	if (ret == -ENODEV) {
		pr_info("no teecall,confidential-pool in the device tree\n");
		return 0;
	}
	if (ret) {
		pr_err("bad teecall,confidential-pool node (%d): needs reg and no-map\n",
		       ret);
		return ret;
	}
	ret = allocate_tables(resource_size(&res) >> PAGE_SHIFT);
	if (ret)
		return ret;
	pool.base = res.start;
	pool.pages = resource_size(&res) >> PAGE_SHIFT;
	return 0;
}

void covh_pool_exit(void)
{
	bitmap_free(pool.taken);
	kvfree(pool.page);
}
