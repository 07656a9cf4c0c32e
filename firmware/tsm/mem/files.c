// SPDX-License-Identifier: BSD-2-Clause
/* Guest interrupt files: see files.h. */
#include "arch/arch.h"
#include "mem/files.h"
#include "mem/mem.h"

/* GEILEN is at most 63. */
#define MAX_FILES	64

enum file_state {
	FILE_HOST,
	/* A call is giving it away or back */
	FILE_CLAIMED,
	FILE_CONVERTING,
	FILE_BOUND,
};

struct file {
	enum file_state state;
	/* CONVERTING: of the global fence */
	u64 version;
};

static struct {
	const tee_u64 *base;
	u32 harts;
	unsigned int count;
	u64 ids;
	struct file file[COVE_MAX_HARTS][MAX_FILES];
} files;

void files_init(const struct tsm_boot_info *info)
{
	memset(&files, 0, sizeof(files));
	files.base = info->imsic;
	files.harts = info->hart_count;
	files.count = min_u64(min_u64(arch_guest_files(), MAX_FILES - 1),
			      info->imsic_guest_pages);
	files.ids = min_u64(info->imsic_ids, COVE_MAX_INTERRUPT_ID);
}

bool files_possible(void)
{
	return files.count && files.ids;
}

u64 files_max_id(void)
{
	return files.ids;
}

u64 file_page(unsigned int hart, unsigned int number)
{
	return files.base[hart] + ((u64)number << PAGE_SHIFT);
}

/* Files have numbers from 1 on: page 0 is the hart's own file. */
static struct file *find(u64 page)
{
	u64 number;
	u32 i;

	if (!page_aligned(page))
		return NULL;
	for (i = 0; i < files.harts; i++) {
		number = (page - files.base[i]) >> PAGE_SHIFT;
		if (files.base[i] && number && number <= files.count)
			return &files.file[i][number];
	}
	return NULL;
}

static bool unassigned(const struct file *file)
{
	if (file->state != FILE_CONVERTING)
		return false;
	fence_look_again(file->version);
	return fence_settled(file->version);
}

static void set_state(struct file *file, enum file_state state)
{
	pages_lock();
	file->state = state;
	file->version = fence_version();
	pages_unlock();
}

/* M-mode is asked without the lock: it waits for other harts. */
s64 file_convert(u64 page)
{
	struct file *file = find(page);
	bool ok;
	s64 error;

	if (!file)
		return COVE_ERR_INVALID_ADDRESS;
	pages_lock();
	ok = file->state == FILE_HOST;
	if (ok)
		file->state = FILE_CLAIMED;
	pages_unlock();
	if (!ok)
		return COVE_ERR_INVALID_ADDRESS;
	error = tsmd_assign(page, 1);
	set_state(file, error ? FILE_HOST : FILE_CONVERTING);
	return error;
}

static s64 claim_unassigned(struct file *file)
{
	s64 error = COVE_SUCCESS;

	pages_lock();
	if (file->state == FILE_BOUND)
		error = COVE_ERR_INVALID_PARAM;
	else if (!unassigned(file))
		error = COVE_ERR_INVALID_ADDRESS;
	else
		file->state = FILE_CLAIMED;
	pages_unlock();
	return error;
}

s64 file_reclaim(u64 page)
{
	struct file *file = find(page);
	u64 version;
	s64 error;

	if (!file)
		return COVE_ERR_INVALID_ADDRESS;
	version = file->version;
	error = claim_unassigned(file);
	if (error)
		return error;
	error = tsmd_release(page, 1);
	pages_lock();
	/* Refused, it is unassigned as before: its fence was long ago. */
	file->state = error ? FILE_CONVERTING : FILE_HOST;
	file->version = version;
	pages_unlock();
	return error;
}

static unsigned int only_bit(u64 mask)
{
	unsigned int number = 0;

	while (mask >>= 1)
		number++;
	return number;
}

s64 file_bind(unsigned int hart, u64 mask, unsigned int *number)
{
	struct file *file;
	bool ok;

	if (!mask || mask & (mask - 1) || mask & 1)
		return COVE_ERR_INVALID_PARAM;
	*number = only_bit(mask);
	if (!files.base[hart] || *number > files.count)
		return COVE_ERR_INVALID_PARAM;
	file = &files.file[hart][*number];
	pages_lock();
	ok = unassigned(file);
	if (ok)
		file->state = FILE_BOUND;
	pages_unlock();
	return ok ? COVE_SUCCESS : COVE_ERR_INVALID_PARAM;
}

/* The version stays the one that was settled before it was bound. */
void file_unbind(unsigned int hart, unsigned int number)
{
	pages_lock();
	files.file[hart][number].state = FILE_CONVERTING;
	pages_unlock();
}
