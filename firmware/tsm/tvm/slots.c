// SPDX-License-Identifier: BSD-2-Clause
/*
 * Slots. An id is the slot's generation and its number: a slot is used again,
 * an id never. Ids fit in 32 bits because the crossing events have room for
 * no more; a slot whose generations are used up stays empty.
 */
#include "tvm/tvm.h"
#include "trace/trace.h"

#define SLOT_BITS	8
#define GENERATIONS	(1UL << (32 - SLOT_BITS))

_Static_assert(PAGE_OWNERS <= 1 << SLOT_BITS, "a slot number fits in an id");
_Static_assert(sizeof(struct tvm) <= TVM_STATE_PAGES * PAGE_SIZE,
	       "the host donates TVM_STATE_PAGES for it");

static struct slot {
	struct spinlock lock;
	/* Generations used up, so the first TVM's is 1 and no id is 0 */
	u64 generation;
	/* NULL: no TVM of this generation */
	struct tvm *tvm;
	/* A call that went on beyond its lock has the TVM */
	bool held;
} slots[PAGE_OWNERS];

/*
 * Slots without a TVM, the one to take next at the end: nobody looks for one,
 * so that a TVM costs the same beside any number of others. The lock is taken
 * with no other inside.
 */
static struct {
	struct spinlock lock;
	u32 count;
	u8 slot[PAGE_OWNERS];
} unused;

static void add_unused(unsigned int slot)
{
	spin_lock(&unused.lock);
	unused.slot[unused.count++] = slot;
	spin_unlock(&unused.lock);
}

static bool take_unused(unsigned int *slot)
{
	bool found;

	spin_lock(&unused.lock);
	found = unused.count;
	if (found)
		*slot = unused.slot[--unused.count];
	spin_unlock(&unused.lock);
	return found;
}

void tvm_init(void)
{
	unsigned int i;

	memset(slots, 0, sizeof(slots));
	memset(&unused, 0, sizeof(unused));
	for (i = PAGE_OWNERS; i > 0; i--)
		add_unused(i - 1);
}

static struct tvm *occupy(struct slot *slot, u64 state_page, u64 root)
{
	struct tvm *tvm = phys_to_virt(state_page);

	slot->generation++;
	tvm->slot = slot - slots;
	tvm->id = slot->generation << SLOT_BITS | tvm->slot;
	tvm->state = COVE_TVM_STATE_INITIALIZING;
	tvm->root = root;
	tvm->version = 1;
	slot->tvm = tvm;
	__atomic_add_fetch(&tsm_stats.tvms, 1, __ATOMIC_RELAXED);
	return tvm;
}

struct tvm *tvm_create(u64 state_page, u64 root)
{
	unsigned int slot;

	if (!take_unused(&slot))
		return NULL;
	/* Stays locked: nobody may find it before its pages are its own. */
	spin_lock(&slots[slot].lock);
	return occupy(&slots[slot], state_page, root);
}

static s64 check(const struct slot *slot, u64 id)
{
	if (!slot->tvm || slot->tvm->id != id)
		return COVE_ERR_INVALID_PARAM;
	return slot->held ? COVE_ERR_BUSY : COVE_SUCCESS;
}

s64 tvm_lock(u64 id, struct tvm **tvm)
{
	u64 number = id & ((1 << SLOT_BITS) - 1);
	struct slot *slot;
	s64 error;

	if (number >= PAGE_OWNERS)
		return COVE_ERR_INVALID_PARAM;
	slot = &slots[number];
	spin_lock(&slot->lock);
	error = check(slot, id);
	if (error)
		spin_unlock(&slot->lock);
	else
		*tvm = slot->tvm;
	return error;
}

s64 tvm_lock_in_state(u64 id, u32 state, struct tvm **tvm)
{
	s64 error = tvm_lock(id, tvm);

	if (error)
		return error;
	if ((*tvm)->state == state)
		return COVE_SUCCESS;
	tvm_unlock(*tvm);
	return COVE_ERR_INVALID_PARAM;
}

void tvm_relock(struct tvm *tvm)
{
	spin_lock(&slots[tvm->slot].lock);
}

void tvm_unlock(struct tvm *tvm)
{
	spin_unlock(&slots[tvm->slot].lock);
}

void tvm_hold(struct tvm *tvm)
{
	slots[tvm->slot].held = true;
}

void tvm_let_go(struct tvm *tvm)
{
	struct slot *slot = &slots[tvm->slot];

	spin_lock(&slot->lock);
	slot->held = false;
	spin_unlock(&slot->lock);
}

bool tvm_is_held(const struct tvm *tvm)
{
	return slots[tvm->slot].held;
}

unsigned int tvm_retire(struct tvm *tvm)
{
	struct slot *slot = &slots[tvm->slot];

	__atomic_sub_fetch(&tsm_stats.tvms, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&tsm_stats.vcpus, tvm->vcpu_count,
			   __ATOMIC_RELAXED);
	slot->tvm = NULL;
	return slot - slots;
}

void tvm_free_slot(unsigned int slot)
{
	/* One whose ids are used up is never taken again. */
	if (slots[slot].generation + 1 < GENERATIONS)
		add_unused(slot);
}
