// SPDX-License-Identifier: BSD-2-Clause
#include "tests/aia.h"

const struct aia_params good_params = {
	.imsic_base = GUEST_IMSIC(0),
	.group_index_shift = 24,
	.hart_index_bits = 1,
};

s64 init_aia(u64 id, const struct aia_params *params)
{
	memcpy(phys_to_virt(HOST_BASE), params, sizeof(*params));
	return covi(INIT_TVM_AIA, id, HOST_BASE, sizeof(*params)).error;
}

void give_files(unsigned int number)
{
	unsigned int hart;

	for (hart = 0; hart < 2; hart++)
		check_equal(covi(CONVERT_AIA_IMSIC,
				 FILE_PAGE(hart, number)).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	for (hart = 0; hart < 2; hart++) {
		fake.hart = hart;
		check_equal(covh(LOCAL_FENCE, 0).error, 0);
	}
	fake.hart = 0;
}

u64 start_aia_tvm(void)
{
	u64 id;

	fake_boot_aia(3);
	id = build_tvm();
	check_equal(init_aia(id, &good_params), 0);
	check_equal(covi(SET_TVM_AIA_CPU_IMSIC_ADDR, id, 0,
			 GUEST_IMSIC(0)).error, 0);
	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, GUEST_ARG, 0).error, 0);
	fake_info.nacl[0] = NACL_BASE;
	fake_info.nacl[1] = NACL_BASE + COVE_NACL_SHMEM_SIZE;
	give_files(1);
	return id;
}

static void allow_33(struct guest_context *guest)
{
	ecall(guest, COVE_EID_COVG, COVE_COVG_ALLOW_EXTERNAL_INTERRUPT, 33, 0,
	      0);
}

void start_bound(void)
{
	tvm = start_aia_tvm();
	check_equal(covi(BIND_AIA_IMSIC, tvm, 0, 2).error, 0);
	check_equal(run(allow_33).error, 0);
}
