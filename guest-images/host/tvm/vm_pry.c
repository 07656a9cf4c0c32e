// SPDX-License-Identifier: BSD-2-Clause
/* tvm linux --pry: what of the guest's memory can the host read? */
#include <sys/ioctl.h>

#include "vm.h"

struct pried {
	/* Pages, and those of them that could be read */
	uint64_t own;
	uint64_t own_readable;
	uint64_t shared;
	uint64_t shared_readable;
	/* Guest-physical address of the first of its own that could */
	uint64_t first;
};

static bool readable(const struct vm *vm, uint64_t pa)
{
	uint64_t word;
	struct covh_mem mem = {
		.addr = pa, .buf = (uintptr_t)&word, .len = sizeof(word),
	};

	/* A page that could not even be tried counts as readable: nothing is shown. */
	return ioctl(vm->tvm->fd, COVH_PEEK, &mem) || !mem.fault;
}

static void pry_leaf(const struct vm *vm, const struct vm_leaf *leaf,
		     struct pried *pried)
{
	for (uint64_t page = 0; page < leaf->pages; page++) {
		bool can = readable(vm, leaf->pa + page * PAGE_SIZE);

		if (leaf->shared) {
			pried->shared++;
			pried->shared_readable += can;
			continue;
		}
		pried->own++;
		if (can && !pried->own_readable++)
			pried->first = leaf->gpa + page * PAGE_SIZE;
	}
}

void vm_pry(const struct vm *vm)
{
	struct pried pried = {};

	if (!vm->pry)
		return;
	for (size_t i = 0; i < vm->leaf_count; i++)
		pry_leaf(vm, &vm->leaves[i], &pried);
	event_finish_console();
	event_begin("pry");
	json_unsigned("own", pried.own);
	json_unsigned("own_readable", pried.own_readable);
	json_unsigned("first", pried.first);
	json_unsigned("shared", pried.shared);
	json_unsigned("shared_readable", pried.shared_readable);
	json_end();
}
