/* SPDX-License-Identifier: BSD-2-Clause */
/* Attestation as the guest asks for it: COVG functions 6, 7, 8 and 10. */
#ifndef TSM_ATTEST_H
#define TSM_ATTEST_H

#include "run/run.h"

/** Note what the root of trust has handed over; no evidence is being built */
void attest_init(const struct tsm_boot_info *info);

/** Somebody has measured the firmware and the TSM and given the TSM a key */
bool attest_possible(void);

/* registers.c, evidence.c: functions of COVG */
enum after_trap attest_get_attcaps(struct run *run);
enum after_trap attest_extend_measurement(struct run *run);
enum after_trap attest_get_evidence(struct run *run);
enum after_trap attest_read_measurement(struct run *run);

/** All registers of a TVM in the order of their numbers; TVM locked */
void attest_registers(const struct tvm *tvm,
		      u8 registers[TASK_REGISTERS][DIGEST_SIZE]);

/* memory.c: the guest's confidential memory; the vCPU is running */

/**
 * @return COVE_ERR_INVALID_ADDRESS unless all of it is confidential memory of
 *	   the TVM with a page behind it
 */
s64 attest_check(struct tvm *tvm, u64 gpa, u64 size);

/** The same and copy; an error copies nothing */
s64 attest_copy_in(struct tvm *tvm, void *to, u64 gpa, u64 size);
s64 attest_copy_out(struct tvm *tvm, u64 gpa, const void *from, u64 size);

#endif
