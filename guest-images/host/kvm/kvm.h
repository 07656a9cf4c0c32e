/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvm: a small VMM for plain guests of the host's own KVM. It runs the same
 * guest images as the tvm tool, whose image, JSON and signal code it shares.
 */
#ifndef KVM_TOOL_H
#define KVM_TOOL_H

#include <linux/kvm.h>

#include "devices.h"
#include "tvm.h"
#include "uart.h"

#define KVM_MAX_VCPUS	8

struct vcpu;

/* vm.c: the virtual machine and its memory */
struct vm {
	int kvm;
	int fd;
	/* Slots given to KVM so far */
	uint32_t slots;
	struct image image;
	/* Host memory behind the image's region */
	uint8_t *ram;
	/* Where the console's bytes go, -1: among the events; what it reads */
	int console;
	const char *input;
	/* base 0: the guest has none */
	struct vm_uart uart;
	/* Of a machine with several vCPUs: how it has ended, NULL while it runs */
	const char *volatile reason;
	struct vcpu *vcpus;
	uint64_t count;
	struct devices devices;
	/* vCPU 0 has been told of an external interrupt */
	bool interrupting;
};

bool vm_create(struct vm *vm);
bool vm_add_memory(struct vm *vm, uint64_t gpa, uint64_t size, uint8_t *host);
bool vm_load(struct vm *vm, const char *path, enum status *status);
bool vm_load_image(struct vm *vm);
void vm_destroy(struct vm *vm);

/* console.c: the guest's debug console, whose buffers are in the guest's memory */
void console_call(struct vm *vm, struct kvm_run *run);

/* console.c: its 16550; false: the access is not one to that */
bool console_mmio(struct vm *vm, struct kvm_run *run);
/* devices.c: an access to a device; false: there is none */
bool device_access(struct vm *vm, struct kvm_run *run);

/* linux_guest.c */
enum status verb_linux_guest(struct args *args);

/* vcpu.c: one vCPU from its first instruction to its end */
struct vcpu {
	struct vm *vm;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	/* Give the CPU away at every exit */
	bool yield;
	uint64_t exits;
};

bool vcpu_create(struct vcpu *vcpu, struct vm *vm, uint64_t id,
		 uint64_t arg);
const char *vcpu_run(struct vcpu *vcpu);
void vcpu_destroy(struct vcpu *vcpu);

/* stats.c */
uint64_t vcpu_all_exits(const struct vcpu *vcpu);

/* report.c */
void report_launch(const struct vm *vm, uint64_t arg);
void report_exit(const struct vcpu *vcpu, const char *reason);
void report_done(void);

/** A step failed: says which, why (errno), and what helps. Returns false. */
bool report_failure(const char *step, const char *remedy);

/** The same for what is wrong with the guest's image */
void report_refusal(const char *step, const char *message);

#endif
