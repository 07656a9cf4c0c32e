// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The pool as an open file sees it: ioctls and mmap.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "covh.h"

long covh_ioctl_pool_info(void __user *argp)
{
	struct covh_pool_info info;

	if (copy_from_user(&info, argp, sizeof(info)))
		return -EFAULT;
	if (info.sdid > COVE_A6_SDID_MASK || info.reserved)
		return -EINVAL;
	covh_pool_info(&info);
	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

long covh_ioctl_pool_alloc(struct covh_file *file, void __user *argp)
{
	struct covh_pool_range range;
	int ret;

	if (copy_from_user(&range, argp, sizeof(range)))
		return -EFAULT;
	ret = covh_pool_alloc(file, &range);
	if (ret)
		return ret;
	/* Pages that user space never heard of are freed with the file. */
	return copy_to_user(argp, &range, sizeof(range)) ? -EFAULT : 0;
}

long covh_ioctl_pool_free(struct file *filp, void __user *argp)
{
	struct covh_pool_range range;

	if (copy_from_user(&range, argp, sizeof(range)))
		return -EFAULT;
	if (range.align || range.flags || range.sdid)
		return -EINVAL;
	return covh_pool_free(filp->private_data, range.base, range.pages,
			      filp->f_mapping);
}

/* A hostile host may have pages that nobody owns as well. */
static bool may_map(const struct covh_file *file, u64 base, u64 pages)
{
	return covh_pool_owned(file->id, base, pages) ||
	       (covh_hostile && covh_pool_owned(0, base, pages));
}

/*
 * covh_mmap() - map pages that the file owns, at their physical address
 *
 * The mapping stays when a page becomes confidential: the access fault is the
 * user's (SIGSEGV), since the kernel itself never touches it. PFN mappings
 * keep get_user_pages, core dumps and ptrace away.
 */
int covh_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct covh_file *file = filp->private_data;
	u64 base = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 pages = vma_pages(vma);
	int ret = -EPERM;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	covh_pool_lock();
	if (may_map(file, base, pages))
		ret = remap_pfn_range(vma, vma->vm_start, vma->vm_pgoff,
				      pages << PAGE_SHIFT, vma->vm_page_prot);
	covh_pool_unlock();
	return ret;
}
