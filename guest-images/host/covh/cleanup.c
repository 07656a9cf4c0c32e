// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a file leaves behind when it is closed, however its process ended:
 * TVMs are destroyed, confidential pages come back to the host.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "covh.h"

/*
 * TVMs of all files in one list: any file may destroy any TVM, and its id may
 * belong to somebody else afterwards.
 */
static LIST_HEAD(tvms);
static DEFINE_MUTEX(tvms_mutex);

struct covh_tvm *covh_tvm_prepare(void)
{
	return kzalloc(sizeof(struct covh_tvm), GFP_KERNEL);
}

/* covh_tvm_created() - the file answers for this TVM from now on */
void covh_tvm_created(struct covh_file *file, struct covh_tvm *tvm, u32 sdid,
		      u64 id)
{
	tvm->file = file;
	tvm->sdid = sdid;
	tvm->id = id;
	mutex_lock(&tvms_mutex);
	list_add(&tvm->list, &tvms);
	mutex_unlock(&tvms_mutex);
}

/* covh_tvm_destroyed() - the TVM is gone: nobody answers for it */
void covh_tvm_destroyed(u32 sdid, u64 id)
{
	struct covh_tvm *tvm, *next;

	mutex_lock(&tvms_mutex);
	list_for_each_entry_safe(tvm, next, &tvms, list) {
		if (tvm->sdid != sdid || tvm->id != id)
			continue;
		list_del(&tvm->list);
		kfree(tvm);
	}
	mutex_unlock(&tvms_mutex);
}

static void destroy(const struct covh_tvm *tvm)
{
	s64 error = covh_simple_call(tvm->sdid, COVE_COVH_DESTROY_TVM, tvm->id,
				     0);

	if (error)
		pr_warn("TVM %llu of domain %u is not destroyed: %lld\n",
			tvm->id, tvm->sdid, error);
}

static void destroy_tvms(struct covh_file *file)
{
	struct covh_tvm *tvm, *next;

	mutex_lock(&tvms_mutex);
	list_for_each_entry_safe(tvm, next, &tvms, list) {
		if (tvm->file != file)
			continue;
		destroy(tvm);
		list_del(&tvm->list);
		kfree(tvm);
	}
	mutex_unlock(&tvms_mutex);
}

/* A domain that is dead or absent gives nothing back, however often asked. */
static bool worth_splitting(s64 error)
{
	return error != COVE_ERR_FAILED && error != COVE_ERR_NOT_SUPPORTED;
}

/*
 * One call for the whole run costs least and always fits the isolation
 * hardware. Where it is refused, halves find out which pages are the reason.
 */
static void reclaim(u32 sdid, u64 base, u64 pages)
{
	u64 half = pages / 2;
	s64 error;

	covh_pool_lock();
	error = covh_simple_call(sdid, COVE_COVH_RECLAIM_PAGES, base, pages);
	if (error == COVE_SUCCESS)
		covh_pool_mark(sdid, base, pages, false);
	covh_pool_unlock();
	if (error == COVE_SUCCESS || !half || !worth_splitting(error))
		return;
	reclaim(sdid, base, half);
	reclaim(sdid, base + (half << PAGE_SHIFT), pages - half);
}

/* Pages converted but never fenced can only be reclaimed after a fence. */
static void reclaim_pages(struct covh_file *file)
{
	struct covh_fence fence = { .sdid = U32_MAX };
	u64 from = 0, base, pages;
	u32 sdid;

	while (covh_pool_next_confidential(file->id, &from, &base, &pages,
					   &sdid)) {
		if (fence.sdid != sdid) {
			fence.sdid = sdid;
			covh_fence_all(&fence);
		}
		reclaim(sdid, base, pages);
	}
}

/* covh_cleanup() - the last user of a file is gone */
void covh_cleanup(struct covh_file *file)
{
	u64 lost = 0;

	covh_nacl_restore(file);
	destroy_tvms(file);
	if (file->pages) {
		reclaim_pages(file);
		lost = covh_pool_disown(file);
	}
	if (lost)
		pr_warn("%llu confidential pages cannot be reclaimed and are lost\n",
			lost);
}
