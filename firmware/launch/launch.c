/* SPDX-License-Identifier: BSD-2-Clause */
#include "launch.h"
#include "cove.h"

#define SDID		1UL
#define PAGE		4096UL
/* The G-stage root of Sv48x4, and tables for memory of less than 1 GiB */
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

/* A call with its name, by which a payload can say what was refused */
struct step {
	const char *name;
	uint64_t function;
	uint64_t args[6];
	uint64_t value;
};

#define STEP(text, FUNCTION, ...)					\
	{ .name = #text, .function = COVE_COVH_##FUNCTION,		\
	  .args = { __VA_ARGS__ } }

static int64_t ecall(uint64_t eid, uint64_t fid, const uint64_t args[6],
		     uint64_t *value)
{
	register uint64_t a0 __asm__("a0") = args[0];
	register uint64_t a1 __asm__("a1") = args[1];
	register uint64_t a2 __asm__("a2") = args[2];
	register uint64_t a3 __asm__("a3") = args[3];
	register uint64_t a4 __asm__("a4") = args[4];
	register uint64_t a5 __asm__("a5") = args[5];
	register uint64_t a6 __asm__("a6") = fid;
	register uint64_t a7 __asm__("a7") = eid;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
			 : "memory");
	*value = a1;
	return a0;
}

/* Make the calls until one is refused. */
static int64_t make(struct step *steps, unsigned int count,
		    const char **refused)
{
	int64_t error;
	unsigned int i;

	for (i = 0; i < count; i++) {
		error = ecall(COVE_EID_COVH,
			      SDID << COVE_A6_SDID_SHIFT | steps[i].function,
			      steps[i].args, &steps[i].value);
		if (error) {
			*refused = steps[i].name;
			return error;
		}
	}
	return COVE_SUCCESS;
}

#define COUNT(steps)	(sizeof(steps) / sizeof((steps)[0]))

int64_t launch_set_shmem(void *pages)
{
	const uint64_t args[6] = { (uint64_t)pages };
	uint64_t value;

	return ecall(COVE_EID_NACL, COVE_NACL_SET_SHMEM, args, &value);
}

int64_t launch_convert(uint64_t base, uint64_t pages, const char **refused)
{
	struct step steps[] = {
		STEP(convert_pages, CONVERT_PAGES, base, pages),
		STEP(global_fence, GLOBAL_FENCE, 0),
		STEP(local_fence, LOCAL_FENCE, 0),
	};

	return make(steps, COUNT(steps), refused);
}

static int64_t get_info(struct launch *launch, struct tsm_info *info)
{
	struct step steps[] = {
		STEP(get_tsm_info, GET_TSM_INFO,
		     (uint64_t)info, sizeof(*info)),
	};

	return make(steps, COUNT(steps), &launch->refused);
}

static int64_t create(struct launch *launch, uint64_t state)
{
	const struct create_params params = { launch->pool, state };
	struct step steps[] = {
		STEP(create_tvm, CREATE_TVM,
		     (uint64_t)&params, sizeof(params)),
	};
	int64_t error = make(steps, COUNT(steps), &launch->refused);

	launch->id = steps[0].value;
	return error;
}

static int64_t populate(struct launch *launch, uint64_t tables, uint64_t vcpu)
{
	struct step steps[] = {
		STEP(add_tvm_memory_region, ADD_TVM_MEMORY_REGION,
		     launch->id, launch->gpa, launch->gpa_end - launch->gpa),
		STEP(add_tvm_page_table_pages, ADD_TVM_PAGE_TABLE_PAGES,
		     launch->id, tables, TABLE_PAGES),
		STEP(create_tvm_vcpu, CREATE_TVM_VCPU,
		     launch->id, 0, vcpu),
		STEP(add_tvm_measured_pages, ADD_TVM_MEASURED_PAGES,
		     launch->id, (uint64_t)launch->image,
		     launch->pool + LAUNCH_PAGES * PAGE, COVE_TVM_PAGE_4K,
		     launch->pages, launch->gpa),
	};

	return make(steps, COUNT(steps), &launch->refused);
}

int64_t launch_create(struct launch *launch)
{
	uint64_t state = launch->pool + DIRECTORY_PAGES * PAGE;
	struct tsm_info info;
	uint64_t vcpu, tables;
	int64_t error = get_info(launch, &info);

	if (error)
		return error;
	vcpu = state + info.tvm_state_pages * PAGE;
	tables = vcpu + info.tvm_vcpu_state_pages * PAGE;
	error = create(launch, state);
	return error ? error : populate(launch, tables, vcpu);
}

int64_t launch_finalize(struct launch *launch)
{
	struct step steps[] = {
		STEP(finalize_tvm, FINALIZE_TVM,
		     launch->id, launch->entry, launch->argument),
	};

	return make(steps, COUNT(steps), &launch->refused);
}
