/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a guest that is a function. */
#ifndef TSM_TEST_RUN_H
#define TSM_TEST_RUN_H

#include "arch/csr.h"
#include "tests/test.h"

#define PARAM	COVE_ERR_INVALID_PARAM
#define A0	10
#define A1	11

/** The TVM under test */
extern u64 tvm;

/** run_tvm_vcpu of its vCPU 0, with this function as the guest */
struct answer run(void (*guest)(struct guest_context *guest));

/** Guests end by these: the host's timer, or an ECALL */
void interrupt(struct guest_context *guest);
void ecall(struct guest_context *guest, u64 eid, u64 fid, u64 a0, u64 a1,
	   u64 a2);

#endif
