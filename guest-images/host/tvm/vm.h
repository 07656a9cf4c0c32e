/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tvm vm: a VMM. One lock covers everything but the runs of the vCPUs
 * themselves: the model of the TVM, the calls that change it, the output.
 */
#ifndef VM_H
#define VM_H

#include <pthread.h>

#include "devices.h"
#include "tvm.h"
#include "uart.h"

#define VM_MAX_VCPUS	8

/* Exit causes: RISC-V privileged specification, table of scause */
#define SCAUSE_ECALL_VS			10
#define SCAUSE_FETCH_GUEST_PAGE		20
#define SCAUSE_LOAD_GUEST_PAGE		21
#define SCAUSE_VIRTUAL			22
#define SCAUSE_STORE_GUEST_PAGE		23

enum { A0, A1, A2, A3, A4, A5, A6, A7 };

struct vm;

struct vm_vcpu {
	struct vm *vm;
	uint64_t id;
	pthread_t thread;
	bool started;
	/*
	 * How often we were told that the guest has switched it on, and that
	 * it has stopped. Its own thread brings the second, another vCPU's
	 * the first, so a start behind a stop may be heard of before it.
	 */
	uint64_t starts;
	uint64_t stops;
	/* Its thread is in the driver */
	bool inside;
	/* Another vCPU wants it off its hart, or awake */
	bool kicked;
	struct covh_run run;
	uint64_t exits;
};

/* A leaf that the TVM has */
struct vm_leaf {
	uint64_t gpa;
	uint64_t pa;
	uint64_t pages;
	bool shared;
	/* Of the pool that devices have their buffers in: freed with it */
	bool pool;
};

/* What the guest shares for its devices, as one piece of the host's memory */
struct vm_pool {
	uint64_t gpa;
	/* Bytes, whole blocks; 0: there is none */
	uint64_t size;
	uint64_t pa;
	uint8_t *bytes;
	/* The guest has, or has had, it all */
	bool given;
};

/* What the guest gets when it touches confidential memory that has no page */
enum vm_demand_size {
	/* That page */
	VM_DEMAND_PAGE,
	/* All that is missing in the 2 MiB around it, in pages of 4 KiB */
	VM_DEMAND_BATCH,
	/* The same, but one page of 2 MiB where nothing is there yet */
	VM_DEMAND_BLOCK,
};

struct vm_counts {
	/* Touches that were served, and the TEECALLs that this took */
	uint64_t demands;
	uint64_t demand_calls;
	/* Exits that the driver dealt with itself, for interrupts of the host */
	uint64_t interrupts;
	uint64_t zero_pages;
	uint64_t large_pages;
	uint64_t shared_pages;
	uint64_t mmio;
	uint64_t waits;
	uint64_t ipis;
	uint64_t fences;
	/* By the CSR time: up to finalize_tvm, and from there to the guest's end */
	uint64_t launch_ticks;
	uint64_t run_ticks;
};

struct vm {
	struct tvm *tvm;
	enum vm_demand_size demand;
	/* Does things wrong first */
	bool contrary;
	const char *input;
	/* Where the guest's console goes, -1: among the events */
	int console;
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct vm_vcpu vcpus[VM_MAX_VCPUS];
	uint64_t count;
	struct vm_leaf *leaves;
	size_t leaf_count;
	/* Pages of tvm->spare in use, from the bottom and from the top */
	uint64_t spare_low;
	uint64_t spare_high;
	/* Why it is over, NULL while it goes on */
	const char *reason;
	/* The TSM has refused to run a vCPU: none is to run again */
	bool refused;
	uint8_t device[PAGE_SIZE];
	/* base 0: the guest has none */
	struct vm_uart uart;
	struct devices devices;
	struct vm_pool pool;
	/* Try, before the TVM goes, to read every page of it */
	bool pry;
	struct vm_counts counts;
};

/* vm.c */
/* Launch the TVM, run it to its end, tear it down; false if it did not end well. */
bool vm_live(struct vm *vm);
void vm_end(struct vm *vm, const char *reason);
void vm_kick(struct vm *vm, uint64_t vcpus);
/* Wait for a change, at most so long, with the lock given up meanwhile. */
void vm_wait_ns(struct vm *vm, uint64_t ns);
void vm_reply(struct vm_vcpu *vcpu, int64_t error, uint64_t value);
/* Run a vCPU with the lock held, to see what the TSM says. */
int64_t vm_run_once(struct vm_vcpu *vcpu);
/* What the TSM says to something wrong. */
void vm_attempt(const char *what, int64_t error);
int64_t vm_call(struct vm *vm, uint32_t fid, uint64_t a1, uint64_t a2,
		uint64_t a3, uint64_t a4);

/* vm_calls.c: a call of the guest that the TSM forwards or tells of */
void vm_guest_call(struct vm_vcpu *vcpu);
/* The TSM lets it run, in whichever order its stops and starts were heard of. */
bool vm_vcpu_on(const struct vm_vcpu *vcpu);

/* vm_memory.c */
void vm_memory_begin(struct vm *vm);
void vm_memory_end(struct vm *vm);
/* What the TVM has of a range, NULL if nothing */
struct vm_leaf *vm_find_leaf(struct vm *vm, uint64_t gpa, uint64_t size);
/* The TSM does not do what the guest needs: the guest is at its end. */
void vm_refused(struct vm *vm, const char *call, int64_t error);
void vm_change_region(struct vm_vcpu *vcpu, bool share);
/* Copy from a page that the guest shares with us; false if it does not. */
bool vm_read_shared(struct vm *vm, uint64_t gpa, void *to, uint64_t size);

/* For a leaf that vm_demand.c or vm_devices.c has added */
void vm_add_leaf(struct vm *vm, struct vm_leaf leaf);

/* vm_demand.c: the guest has touched memory that is not there */
void vm_demand(struct vm_vcpu *vcpu, uint64_t gpa);

/* vm_devices.c */
bool vm_devices_begin(struct vm *vm);
void vm_devices_end(struct vm *vm);
/* The guest touches what it shares for its devices; false: it is not that. */
bool vm_devices_demand(struct vm *vm, uint64_t gpa);
/* The guest has taken a part of it back: devices touch nothing any more. */
void vm_devices_forget(struct vm *vm);
bool vm_devices_access(struct vm_vcpu *vcpu, uint64_t gpa, bool store,
		       unsigned int size, uint64_t *value);
/* Interrupts of devices as they are now, for the vCPU's next run */
void vm_devices_interrupt(struct vm_vcpu *vcpu);
void vm_devices_report(const struct vm *vm);

/* vm_report.c */
void vm_report(const struct vm *vm);

/* vm_pry.c: read every page that the TVM has, as only a broken TSM allows */
void vm_pry(const struct vm *vm);

/* vm_calls.c: the guest's console */
void vm_console_print(const struct vm *vm, const char *bytes, uint64_t count);

/* vm_uart.c; false: the access is not one to the UART */
bool vm_uart(struct vm_vcpu *vcpu, uint64_t gpa, bool store, uint64_t *value);

/* vm_mmio.c */
void vm_mmio(struct vm_vcpu *vcpu);

#endif
