// SPDX-License-Identifier: BSD-2-Clause
/* What many tests begin with. */
#include "tests/run.h"

void give_pages(u64 base, u64 pages)
{
	check_equal(covh(CONVERT_PAGES, base, pages).error, 0);
	check_equal(covh(GLOBAL_FENCE, 0).error, 0);
	for (fake.hart = 0; fake.hart < fake_info.hart_count; fake.hart++)
		check_equal(covh(LOCAL_FENCE, 0).error, 0);
	fake.hart = 0;
}

struct answer other_call(void)
{
	return covh(ADD_TVM_MEMORY_REGION, 0, GUEST_BASE, 0);
}

u64 create_tvm(void)
{
	u64 *params = phys_to_virt(HOST_BASE);
	struct answer answer;

	params[0] = AT_DIRECTORY;
	params[1] = AT_STATE;
	answer = covh(CREATE_TVM, HOST_BASE, 16);
	check_equal(answer.error, 0);
	check_true(answer.value != 0);
	return answer.value;
}

/* Two source pages: byte i of page k is i * 7 + k. */
static void fill_source(void)
{
	u8 *source = phys_to_virt(HOST_BASE);
	u64 i;

	for (i = 0; i < 2 * PAGE_SIZE; i++)
		source[i] = (i % PAGE_SIZE) * 7 + i / PAGE_SIZE;
}

u64 build_tvm(void)
{
	u64 id;

	give_pages(POOL_BASE, BUILD_PAGES);
	id = create_tvm();
	fill_source();
	check_equal(covh(ADD_TVM_MEMORY_REGION, id, GUEST_BASE,
			 GUEST_SIZE).error, 0);
	check_equal(covh(ADD_TVM_PAGE_TABLE_PAGES, id, AT_TABLES, 4).error, 0);
	check_equal(covh(CREATE_TVM_VCPU, id, 0, AT_VCPU).error, 0);
	check_equal(covh(ADD_TVM_MEASURED_PAGES, id, HOST_BASE, AT_DATA, 0, 2,
			 GUEST_BASE).error, 0);
	return id;
}

u64 start_tvm(void)
{
	u64 id = build_tvm();

	check_equal(covh(FINALIZE_TVM, id, GUEST_BASE, GUEST_ARG, 0).error, 0);
	fake_info.nacl[0] = NACL_BASE;
	fake_info.nacl[1] = NACL_BASE + COVE_NACL_SHMEM_SIZE;
	return id;
}

struct nacl *test_nacl(void)
{
	return phys_to_virt(fake_info.nacl[fake.hart]);
}

u64 tvm;

struct answer run(void (*guest)(struct guest_context *guest))
{
	fake.guest = guest;
	return covh(RUN_TVM_VCPU, tvm, 0);
}

void interrupt(struct guest_context *guest)
{
	guest->scause = CAUSE_INTERRUPT | 5;
	guest->stval = 77;
}

void ecall(struct guest_context *guest, u64 eid, u64 fid, u64 a0, u64 a1,
	   u64 a2)
{
	guest->scause = CAUSE_ECALL_VS;
	guest->gpr[17] = eid;
	guest->gpr[16] = fid;
	guest->gpr[10] = a0;
	guest->gpr[11] = a1;
	guest->gpr[12] = a2;
}
