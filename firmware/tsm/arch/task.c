// SPDX-License-Identifier: BSD-2-Clause
/*
 * The U-mode task on the hart: its memory, its page tables, its turns. All of
 * its translations are in two 2 MiB spans, its own and the trampoline's, so
 * the tables have a fixed shape.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/task.h"
#include "trace/trace.h"

#define TABLE_ENTRIES	512
#define PTE_V		(1UL << 0)
#define PTE_R		(1UL << 1)
#define PTE_W		(1UL << 2)
#define PTE_X		(1UL << 3)
#define PTE_U		(1UL << 4)
/* Set from the start: the hart never has to write to a table. */
#define PTE_A		(1UL << 6)
#define PTE_D		(1UL << 7)
#define TASK_CODE	(PTE_V | PTE_R | PTE_X | PTE_U | PTE_A)
#define TASK_MEMORY	(PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D)
#define TRAMPOLINE_CODE	(PTE_V | PTE_X | PTE_A)
#define CONTEXT_MEMORY	(PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)

/* At the start of the image; task.lds writes it. */
struct task_header {
	u64 entry;
	/** First values of the data: where in the image, where to, how much */
	u64 data_offset;
	u64 data;
	u64 data_size;
};

/* Its start is laid out as that of struct guest_context. */
struct task_context {
	u64 gpr[32];
	u64 sepc;
	u64 tsm_sp;
	u64 tsm_tp;
	/** Physical address of this */
	u64 self;
};

_Static_assert(offsetof(struct task_context, sepc) == GUEST_SEPC,
	       "task_switch.S finds sepc here");
_Static_assert(offsetof(struct task_context, tsm_sp) == GUEST_TSM_SP,
	       "task_switch.S keeps the TSM's stack here");
_Static_assert(offsetof(struct task_context, tsm_tp) == GUEST_TSM_TP,
	       "task_switch.S keeps the hart index here");
_Static_assert(offsetof(struct task_context, self) == TASK_SELF,
	       "task_switch.S finds the way back by it");

enum table {
	ROOT,
	/* Of the task's span: the levels below the root */
	OWN_MIDDLE,
	OWN_PAGES,
	/* Of the trampoline's span */
	TRAMPOLINE_MIDDLE,
	TRAMPOLINE_PAGES,
	TABLES,
};

struct task {
	u64 table[TABLES][TABLE_ENTRIES];
	union {
		struct task_context context;
		u8 context_page[PAGE_SIZE];
	};
	u8 data[TASK_DATA_PAGES * PAGE_SIZE];
	u8 stack[TASK_STACK_PAGES * PAGE_SIZE];
};

_Static_assert(sizeof(struct task_io) <= TASK_DATA_PAGES * PAGE_SIZE,
	       "struct task_io is the start of the task's data");

extern const struct task_header task_image;
extern const u8 task_image_end[];
extern const u8 __trampoline[];

void task_switch(struct task_context *context, u64 satp);

static struct task tasks[ARCH_TASKS]
	__attribute__((section(".bss.tasks"), aligned(PAGE_SIZE)));

static u64 entry_of(const void *page, u64 flags)
{
	return (u64)page >> PAGE_SHIFT << 10 | flags;
}

static unsigned int index_of(u64 va, unsigned int level)
{
	return va >> (PAGE_SHIFT + 9 * level) & (TABLE_ENTRIES - 1);
}

/* Tables for one span: the root's entry and that of the level below. */
static void link_span(struct task *task, u64 va, enum table middle,
		      enum table pages)
{
	task->table[ROOT][index_of(va, 2)] =
		entry_of(task->table[middle], PTE_V);
	task->table[middle][index_of(va, 1)] =
		entry_of(task->table[pages], PTE_V);
}

static void map(u64 *table, u64 va, const u8 *from, u64 size, u64 flags)
{
	u64 done;

	for (done = 0; done < size; done += PAGE_SIZE)
		table[index_of(va + done, 0)] = entry_of(from + done, flags);
}

static void build_tables(struct task *task)
{
	u64 *own = task->table[OWN_PAGES];
	u64 code_size = task_image_end - (const u8 *)&task_image;

	link_span(task, TASK_TEXT, OWN_MIDDLE, OWN_PAGES);
	map(own, TASK_TEXT, (const u8 *)&task_image, code_size, TASK_CODE);
	map(own, TASK_DATA, task->data, sizeof(task->data), TASK_MEMORY);
	map(own, TASK_STACK_TOP - sizeof(task->stack), task->stack,
	    sizeof(task->stack), TASK_MEMORY);
	map(own, TASK_CONTEXT, task->context_page, PAGE_SIZE, CONTEXT_MEMORY);
	link_span(task, (u64)__trampoline, TRAMPOLINE_MIDDLE,
		  TRAMPOLINE_PAGES);
	map(task->table[TRAMPOLINE_PAGES], (u64)__trampoline, __trampoline,
	    PAGE_SIZE, TRAMPOLINE_CODE);
}

void arch_task_wipe(unsigned int task)
{
	memset(&tasks[task].context_page, 0, PAGE_SIZE);
	memset(tasks[task].data, 0, sizeof(tasks[task].data));
	memset(tasks[task].stack, 0, sizeof(tasks[task].stack));
}

struct task_io *arch_task_memory(unsigned int task)
{
	return (struct task_io *)tasks[task].data;
}

struct task_io *arch_task_start(unsigned int number)
{
	const struct task_header *header = &task_image;
	struct task *task = &tasks[number];

	memset(task->table, 0, sizeof(task->table));
	build_tables(task);
	memcpy(task->data + (header->data - TASK_DATA),
	       (const u8 *)header + header->data_offset, header->data_size);
	task->context.sepc = header->entry;
	task->context.gpr[2] = TASK_STACK_TOP;
	return arch_task_memory(number);
}

static enum task_end ended(u64 cause, u64 sepc)
{
	if (cause & CAUSE_INTERRUPT)
		return TASK_INTERRUPTED;
	if (cause == CAUSE_ECALL_U)
		return TASK_DONE;
	tsm_print("task: trap: scause=0x%lx sepc=0x%lx stval=0x%lx", cause,
		  sepc, csr_read(CSR_STVAL));
	return TASK_CRASHED;
}

enum task_end arch_task_run(unsigned int number, u64 *cause)
{
	struct task *task = &tasks[number];
	u64 sstatus = csr_read(CSR_SSTATUS);

	/*
	 * To U-mode, V = 0. FP and V registers are the guest's or the host's:
	 * they are closed to the task, as are counters and whatever senvcfg
	 * turns on. The next entry of the guest sets all of these anew.
	 */
	csr_clear(CSR_SSTATUS,
		  SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_FS | SSTATUS_VS);
	csr_write(CSR_HSTATUS, csr_read(CSR_HSTATUS) & HSTATUS_VSXL);
	csr_write(CSR_SCOUNTEREN, 0);
	csr_write(CSR_SENVCFG, 0);
	csr_write(CSR_SEPC, task->context.sepc);
	task_switch(&task->context, SATP_MODE_SV39 |
				    (u64)task->table[ROOT] >> PAGE_SHIFT);
	*cause = csr_read(CSR_SCAUSE);
	csr_write(CSR_SSTATUS, sstatus);
	return ended(*cause, task->context.sepc);
}
