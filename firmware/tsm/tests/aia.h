/* SPDX-License-Identifier: BSD-2-Clause */
/* TVMs with interrupt files, for the tests of them. */
#ifndef TSM_TEST_AIA_H
#define TSM_TEST_AIA_H

#include "tests/run.h"
#include "tests/test.h"

/** Where the guest has the file of its vCPU of this number */
#define GUEST_IMSIC(vcpu)	(0x28000000UL + (u64)(vcpu) * 0x1000)
#define FILE_PAGE(hart, number)						\
	(FAKE_IMSIC + (hart) * FAKE_IMSIC_STRIDE + (number) * PAGE_SIZE)

/** tvm_aia_params (cove.md 2.6) */
struct aia_params {
	u64 imsic_base;
	u32 group_index_bits;
	u32 group_index_shift;
	u32 hart_index_bits;
	u32 guest_index_bits;
	u32 guests_per_hart;
	u32 padding;
};

extern const struct aia_params good_params;

#define covi(name, ...)	covi_(COVE_COVI_##name, __VA_ARGS__, 0, 0, 0)
#define covi_(fid, a0, a1, a2, ...)					\
	teecall_of(COVE_EID_COVI, fid, a0, a1, a2)

/** init_tvm_aia with these parameters in the host's memory */
s64 init_aia(u64 id, const struct aia_params *params);

/** Convert and fence file number of both harts */
void give_files(unsigned int number);

/** Files 1 converted, and a runnable TVM with AIA, its vCPU not bound */
u64 start_aia_tvm(void);

/** The same, bound to file 1 of hart 0, with interrupt 33 allowed */
void start_bound(void);

#endif
