// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * NACL shared memory: one area per CPU, registered while the CPU is online.
 */
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "covh.h"

struct nacl {
	void *shmem;
	bool registered;
};

static DEFINE_PER_CPU(struct nacl, nacl);
static int hotplug_state;

static s64 set_shmem(u64 low, u64 high)
{
	struct covh_regs regs = {
		.eid = COVE_EID_NACL,
		.fid = COVE_NACL_SET_SHMEM,
		.args = { low, high },
	};

	covh_ecall_irqs_off(&regs);
	return regs.error;
}

static s64 register_here(struct nacl *area)
{
	s64 error = set_shmem(virt_to_phys(area->shmem), 0);

	area->registered = error == COVE_SUCCESS;
	return error;
}

/*
 * A machine without a TSM-driver refuses. That does not stop the module: peek
 * and poke work there, and a raw call shows what the firmware says.
 */
static int nacl_online(unsigned int cpu)
{
	struct nacl *area = per_cpu_ptr(&nacl, cpu);
	unsigned long flags;
	s64 error;

	if (!area->shmem)
		area->shmem = alloc_pages_exact(COVE_NACL_SHMEM_SIZE,
						GFP_KERNEL | __GFP_ZERO);
	if (!area->shmem)
		return -ENOMEM;
	local_irq_save(flags);
	error = register_here(area);
	local_irq_restore(flags);
	if (error)
		pr_info("cpu%u: NACL set_shmem answers %lld, no vCPU can run here\n",
			cpu, error);
	return 0;
}

static int nacl_offline(unsigned int cpu)
{
	struct nacl *area = per_cpu_ptr(&nacl, cpu);
	unsigned long flags;
	s64 error;

	local_irq_save(flags);
	error = set_shmem(~0ULL, ~0ULL);
	area->registered = false;
	local_irq_restore(flags);
	if (error == COVE_SUCCESS || error == COVE_ERR_NOT_SUPPORTED)
		return 0;
	pr_warn("cpu%u: NACL memory stays registered (%lld), not freed\n", cpu,
		error);
	area->shmem = NULL;
	return 0;
}

/*
 * covh_nacl_here() - this CPU's area, NULL if the firmware does not take it
 *
 * Interrupts must be off. Registers again what a raw call replaced.
 */
void *covh_nacl_here(void)
{
	struct nacl *area = this_cpu_ptr(&nacl);

	if (!area->registered && area->shmem)
		register_here(area);
	return area->registered ? area->shmem : NULL;
}

static void register_ipi(void *unused)
{
	covh_nacl_here();
}

/* covh_nacl_replaced() - a raw call gave this CPU other memory, or none */
void covh_nacl_replaced(struct covh_file *file, int cpu)
{
	per_cpu_ptr(&nacl, cpu)->registered = false;
	cpumask_set_cpu(cpu, &file->nacl_cpus);
}

/* covh_nacl_restore() - put our memory back where this file replaced it */
void covh_nacl_restore(struct covh_file *file)
{
	if (!cpumask_empty(&file->nacl_cpus))
		on_each_cpu_mask(&file->nacl_cpus, register_ipi, NULL, true);
}

int covh_nacl_init(void)
{
	int state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "covh:online",
				      nacl_online, nacl_offline);

	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

void covh_nacl_exit(void)
{
	int cpu;

	cpuhp_remove_state(hotplug_state);
	for_each_possible_cpu(cpu) {
		struct nacl *area = per_cpu_ptr(&nacl, cpu);

		if (area->shmem)
			free_pages_exact(area->shmem, COVE_NACL_SHMEM_SIZE);
	}
}
