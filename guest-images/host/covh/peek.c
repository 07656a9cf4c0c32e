// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Read and write physical memory that may not be ours: a fault is an answer.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "covh.h"

/* RISC-V has 56 bits of physical address; more does not fit a page table. */
#define PHYS_LIMIT	(1ULL << 56)

#define TRY_READ(type, buf, mem)	\
	__get_kernel_nofault(buf, mem, type, fault)
#define TRY_WRITE(type, buf, mem)	\
	__put_kernel_nofault(mem, buf, type, fault)

/* The largest aligned access that fits: devices and atomicity care about it. */
static size_t access_size(const void *mem, size_t len)
{
	size_t size = 8;

	while (size > len || !IS_ALIGNED((unsigned long)mem, size))
		size /= 2;
	return size;
}

static int read_one(void *buf, void *mem, size_t size)
{
	switch (size) {
	case 8:
		TRY_READ(u64, buf, mem);
		return 0;
	case 4:
		TRY_READ(u32, buf, mem);
		return 0;
	case 2:
		TRY_READ(u16, buf, mem);
		return 0;
	default:
		TRY_READ(u8, buf, mem);
		return 0;
	}
fault:
	return -EFAULT;
}

static int write_one(void *buf, void *mem, size_t size)
{
	switch (size) {
	case 8:
		TRY_WRITE(u64, buf, mem);
		return 0;
	case 4:
		TRY_WRITE(u32, buf, mem);
		return 0;
	case 2:
		TRY_WRITE(u16, buf, mem);
		return 0;
	default:
		TRY_WRITE(u8, buf, mem);
		return 0;
	}
fault:
	return -EFAULT;
}

/* Moves up to len bytes inside one mapped page; returns the bytes moved. */
static size_t move_bytes(void *buf, void *mem, size_t len, bool write)
{
	size_t done = 0;

	/* A page fault must take the exception table, not wait for a page. */
	pagefault_disable();
	while (done < len) {
		size_t size = access_size(mem + done, len - done);
		/* The bounce page is aligned, but not always like the memory. */
		u64 word = 0;
		int ret;

		if (write) {
			memcpy(&word, buf + done, size);
			ret = write_one(&word, mem + done, size);
		} else {
			ret = read_one(&word, mem + done, size);
			memcpy(buf + done, &word, size);
		}
		if (ret)
			break;
		done += size;
	}
	pagefault_enable();
	return done;
}

static int move_in_page(struct covh_mem *mem, void *bounce, bool write)
{
	u64 addr = mem->addr + mem->done;
	size_t len = min_t(u64, mem->len - mem->done,
			   PAGE_SIZE - offset_in_page(addr));
	void __user *buf = u64_to_user_ptr(mem->buf + mem->done);
	size_t moved;
	void *page;

	if (write && copy_from_user(bounce, buf, len))
		return -EFAULT;
	page = memremap(addr & PAGE_MASK, PAGE_SIZE, MEMREMAP_WB);
	if (!page)
		return -ENOMEM;
	moved = move_bytes(bounce, page + offset_in_page(addr), len, write);
	memunmap(page);
	if (!write && copy_to_user(buf, bounce, moved))
		return -EFAULT;
	mem->done += moved;
	mem->fault = moved != len;
	return 0;
}

static bool valid(const struct covh_mem *mem)
{
	return mem->len <= COVH_MEM_MAX && mem->addr < PHYS_LIMIT &&
	       mem->addr + mem->len <= PHYS_LIMIT && !mem->reserved;
}

static int move_all(struct covh_mem *mem, bool write)
{
	void *bounce = (void *)__get_free_page(GFP_KERNEL);
	int ret = bounce ? 0 : -ENOMEM;

	mem->done = 0;
	mem->fault = 0;
	while (!ret && !mem->fault && mem->done < mem->len) {
		if (fatal_signal_pending(current))
			ret = -EINTR;
		else
			ret = move_in_page(mem, bounce, write);
	}
	free_page((unsigned long)bounce);
	return ret;
}

long covh_ioctl_mem(void __user *argp, bool write)
{
	struct covh_mem mem;
	int ret;

	if (copy_from_user(&mem, argp, sizeof(mem)))
		return -EFAULT;
	if (!valid(&mem))
		return -EINVAL;
	ret = move_all(&mem, write);
	if (ret)
		return ret;
	return copy_to_user(argp, &mem, sizeof(mem)) ? -EFAULT : 0;
}
