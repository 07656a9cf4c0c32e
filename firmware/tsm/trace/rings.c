// SPDX-License-Identifier: BSD-2-Clause
/*
 * One ring per hart, written by that hart alone, so that no lock is needed
 * between two instructions of a world switch.
 */
#include "arch/arch.h"
#include "trace/trace.h"

struct tee_ring tsm_rings[COVE_MAX_HARTS];

static const struct tsm_boot_info *machine;

static void ring_init(struct tee_ring *ring)
{
	ring->version = TEECALL_ABI_VERSION;
	ring->capacity = TEE_RING_EVENTS;
	ring->head = 0;
	ring->magic = COVE_RING_MAGIC;
}

void trace_init(const struct tsm_boot_info *info)
{
	unsigned int i;

	machine = info;
	tsm_log.size = TSM_LOG_SIZE;
	tsm_log.magic = COVE_LOG_MAGIC;
	tsm_stats.magic = COVE_STATS_MAGIC;
	for (i = 0; i < info->hart_count; i++)
		ring_init(&tsm_rings[i]);
}

/* Add the event; what is the same for all kinds is filled in here. */
static void record(struct tee_event event)
{
	unsigned int hart = arch_hart();
	struct tee_ring *ring = &tsm_rings[hart];

	event.time = arch_time();
	event.instret = arch_instret();
	event.sdid = machine->sdid;
	event.hart = machine->hart_id[hart];
	ring->events[ring->head % TEE_RING_EVENTS] = event;
	/* The harness may look at any time: the event first, then the count. */
	__atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
}

void trace_guest_enter(u64 who, u64 sepc)
{
	record((struct tee_event){
		.kind = TEE_EVENT_GUEST_ENTER,
		.value = sepc,
		.aux = who,
	});
}

void trace_guest_exit(u64 who, u64 sepc, u64 scause, u64 eid, u64 fid)
{
	record((struct tee_event){
		.kind = TEE_EVENT_GUEST_EXIT,
		.eid = eid,
		.fid = fid,
		.error = (s64)scause,
		.value = sepc,
		.aux = who,
	});
}

void trace_guest_fence(u16 vmid, enum fence_reason reason)
{
	record((struct tee_event){
		.kind = TEE_EVENT_GUEST_FENCE,
		.value = vmid,
		.aux = reason,
	});
}
