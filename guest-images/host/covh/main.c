// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * covh: the host's side of the CoVE interfaces, /dev/covh.
 */
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "covh.h"

/* Ids of open files; 0 means nobody in the pool's tables. */
static DEFINE_IDA(file_ids);

static int covh_open(struct inode *inode, struct file *filp)
{
	struct covh_file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	int id;

	if (!file)
		return -ENOMEM;
	id = ida_alloc_min(&file_ids, 1, GFP_KERNEL);
	if (id < 0) {
		kfree(file);
		return id;
	}
	file->id = id;
	filp->private_data = file;
	return 0;
}

static int covh_release(struct inode *inode, struct file *filp)
{
	struct covh_file *file = filp->private_data;

	covh_cleanup(file);
	ida_free(&file_ids, file->id);
	kfree(file);
	return 0;
}

static long covh_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case COVH_CALL:
		return covh_ioctl_call(filp->private_data, argp);
	case COVH_FENCE:
		return covh_ioctl_fence(argp);
	case COVH_POOL_INFO:
		return covh_ioctl_pool_info(argp);
	case COVH_POOL_ALLOC:
		return covh_ioctl_pool_alloc(filp->private_data, argp);
	case COVH_POOL_FREE:
		return covh_ioctl_pool_free(filp, argp);
	case COVH_RUN:
		return covh_ioctl_run(argp);
	case COVH_PEEK:
		return covh_ioctl_mem(argp, false);
	case COVH_POKE:
		return covh_ioctl_mem(argp, true);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations covh_fops = {
	.owner = THIS_MODULE,
	.open = covh_open,
	.release = covh_release,
	.unlocked_ioctl = covh_ioctl,
	.mmap = covh_mmap,
};

/* Root only: raw calls and physical memory are nobody else's business. */
static struct miscdevice covh_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "covh",
	.mode = 0600,
	.fops = &covh_fops,
};

static int __init covh_init(void)
{
	int ret = covh_pool_init();

	if (ret)
		return ret;
	ret = covh_nacl_init();
	if (ret)
		goto out_pool;
	ret = misc_register(&covh_device);
	if (ret)
		goto out_nacl;
	return 0;

out_nacl:
	covh_nacl_exit();
out_pool:
	covh_pool_exit();
	return ret;
}

static void __exit covh_exit(void)
{
	misc_deregister(&covh_device);
	covh_nacl_exit();
	covh_pool_exit();
	ida_destroy(&file_ids);
}

module_init(covh_init);
module_exit(covh_exit);

MODULE_DESCRIPTION("Host driver of the CoVE confidential computing interfaces");
MODULE_LICENSE("Dual BSD/GPL");
