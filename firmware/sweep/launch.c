/* SPDX-License-Identifier: BSD-2-Clause */
#include "launch.h"
#include "sweep.h"

#define PAGE		4096UL
#define DIRECTORY_PAGES	4
#define TABLE_PAGES	16

/* What get_tsm_info answers, cove.md 2.6 */
struct tsm_info {
	uint32_t state;
	uint32_t impl_id;
	uint32_t version;
	uint32_t reserved;
	uint64_t capabilities;
	uint64_t tvm_state_pages;
	uint64_t tvm_max_vcpus;
	uint64_t tvm_vcpu_state_pages;
};

/* struct tvm_create_params, cove.md 2.6 */
struct create_params {
	uint64_t page_directory;
	uint64_t state;
};

static struct tsm_info info;
static struct create_params params;

static struct sbi_answer call(struct launch *launch, const char *name, u64 fid,
			      u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct sbi_answer answer = covh(fid, (u64[]){ a0, a1, a2, a3, a4, a5 });

	if (answer.error)
		launch->refused = name;
	return answer;
}

int64_t launch_set_shmem(void *pages)
{
	return sbi(COVE_EID_NACL, COVE_NACL_SET_SHMEM, (u64)pages, 0, 0).error;
}

int64_t launch_convert(uint64_t base, uint64_t pages, const char **refused)
{
	struct launch none = { 0 };
	int64_t error;

	error = call(&none, "convert_pages", COVE_COVH_CONVERT_PAGES, base,
		     pages, 0, 0, 0, 0).error;
	if (!error)
		error = call(&none, "global_fence", COVE_COVH_GLOBAL_FENCE,
			     0, 0, 0, 0, 0, 0).error;
	if (!error)
		error = call(&none, "local_fence", COVE_COVH_LOCAL_FENCE,
			     0, 0, 0, 0, 0, 0).error;
	*refused = none.refused;
	return error;
}

static int64_t create(struct launch *launch, u64 directory, u64 state)
{
	struct sbi_answer answer;

	params.page_directory = directory;
	params.state = state;
	answer = call(launch, "create_tvm", COVE_COVH_CREATE_TVM, (u64)&params,
		      sizeof(params), 0, 0, 0, 0);
	launch->id = answer.value;
	return answer.error;
}

int64_t launch_create(struct launch *launch)
{
	u64 at = launch->pool;
	u64 state, vcpu, tables;
	int64_t error;

	error = call(launch, "get_tsm_info", COVE_COVH_GET_TSM_INFO, (u64)&info,
		     sizeof(info), 0, 0, 0, 0).error;
	if (error)
		return error;
	state = at + DIRECTORY_PAGES * PAGE;
	vcpu = state + info.tvm_state_pages * PAGE;
	tables = vcpu + info.tvm_vcpu_state_pages * PAGE;
	error = create(launch, at, state);
	if (!error)
		error = call(launch, "add_tvm_memory_region",
			     COVE_COVH_ADD_TVM_MEMORY_REGION, launch->id,
			     launch->gpa, launch->gpa_end - launch->gpa, 0, 0,
			     0).error;
	if (!error)
		error = call(launch, "add_tvm_page_table_pages",
			     COVE_COVH_ADD_TVM_PAGE_TABLE_PAGES, launch->id,
			     tables, TABLE_PAGES, 0, 0, 0).error;
	if (!error)
		error = call(launch, "create_tvm_vcpu",
			     COVE_COVH_CREATE_TVM_VCPU, launch->id, 0, vcpu, 0,
			     0, 0).error;
	if (!error)
		error = call(launch, "add_tvm_measured_pages",
			     COVE_COVH_ADD_TVM_MEASURED_PAGES, launch->id,
			     (u64)launch->image, at + LAUNCH_PAGES * PAGE,
			     COVE_TVM_PAGE_4K, launch->pages,
			     launch->gpa).error;
	return error;
}

int64_t launch_finalize(struct launch *launch)
{
	return call(launch, "finalize_tvm", COVE_COVH_FINALIZE_TVM, launch->id,
		    launch->entry, launch->argument, 0, 0, 0).error;
}
