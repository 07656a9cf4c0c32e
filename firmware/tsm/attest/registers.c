// SPDX-License-Identifier: BSD-2-Clause
/*
 * The measurement registers (firmware/abi/attestation.md): 0 to 3 are those of
 * the root of trust, 4 and 5 fixed at finalize_tvm, 6 to 9 the TVM's own.
 */
#include "attest/attest.h"

#define MAX_DESCRIPTORS		26
#define NO_PCR			0xff

enum register_type {
	TYPE_INITIAL,
	TYPE_RUNTIME,
};

/* cove.md 2.8, main layout */
struct capabilities {
	u64 tcb_svn;
	u32 hash;
	u32 formats;
	u8 initial;
	u8 runtime;
	u8 reserved[2];
	struct {
		u32 hash;
		u32 type;
		u8 pcr;
		u8 reserved[3];
	} descriptor[MAX_DESCRIPTORS];
};

_Static_assert(sizeof(struct capabilities) == 336,
	       "CoVE fixes the layout of the attestation capabilities");
_Static_assert(TASK_REGISTERS <= MAX_DESCRIPTORS, "each has a descriptor");

/* a0 and up */
static const u64 *arguments(const struct run *run)
{
	return &run->vcpu->context.gpr[10];
}

static void describe(struct capabilities *caps)
{
	unsigned int i;

	memset(caps, 0, sizeof(*caps));
	caps->tcb_svn = COVE_ATTEST_TCB_SVN;
	caps->hash = COVE_ATTEST_HASH_SHA384;
	caps->formats = attest_possible() ? COVE_ATTEST_FORMAT_CBOR : 0;
	caps->initial = COVE_MEASUREMENT_INITIAL;
	caps->runtime = COVE_MEASUREMENT_RUNTIME;
	for (i = 0; i < TASK_REGISTERS; i++) {
		caps->descriptor[i].hash = COVE_ATTEST_HASH_SHA384;
		caps->descriptor[i].type = i < COVE_MEASUREMENT_INITIAL ?
					   TYPE_INITIAL : TYPE_RUNTIME;
		caps->descriptor[i].pcr = NO_PCR;
	}
}

/* a0 = page-aligned GPA, a1 = room there */
static s64 get_capabilities(struct tvm *tvm, const u64 *args)
{
	struct capabilities caps;

	if (!page_aligned(args[0]))
		return COVE_ERR_INVALID_ADDRESS;
	if (args[1] < sizeof(caps))
		return COVE_ERR_INVALID_PARAM;
	describe(&caps);
	return attest_copy_out(tvm, args[0], &caps, sizeof(caps));
}

/* a0 = page-aligned GPA of a digest, a1 = its size, a2 = register */
static s64 extend(struct tvm *tvm, const u64 *args)
{
	u64 index = args[2] - COVE_MEASUREMENT_INITIAL;
	u8 digest[DIGEST_SIZE];
	struct piece pieces[2];
	s64 error;

	if (index >= COVE_MEASUREMENT_RUNTIME || args[1] != DIGEST_SIZE)
		return COVE_ERR_INVALID_PARAM;
	if (!page_aligned(args[0]))
		return COVE_ERR_INVALID_ADDRESS;
	error = attest_copy_in(tvm, digest, args[0], DIGEST_SIZE);
	if (error)
		return error;
	pieces[0] = (struct piece){ tvm->runtime_digest[index], DIGEST_SIZE };
	pieces[1] = (struct piece){ digest, DIGEST_SIZE };
	/* Another vCPU of the TVM may extend it too. */
	tvm_relock(tvm);
	sha384(tvm->runtime_digest[index], pieces, ARRAY_SIZE(pieces));
	tvm_unlock(tvm);
	return COVE_SUCCESS;
}

/* a0 = page-aligned GPA for the digest, a1 = room there, a2 = register */
static s64 read(struct tvm *tvm, const u64 *args)
{
	u8 registers[TASK_REGISTERS][DIGEST_SIZE];

	if (args[2] >= TASK_REGISTERS || args[1] < DIGEST_SIZE)
		return COVE_ERR_INVALID_PARAM;
	if (!page_aligned(args[0]))
		return COVE_ERR_INVALID_ADDRESS;
	tvm_relock(tvm);
	attest_registers(tvm, registers);
	tvm_unlock(tvm);
	return attest_copy_out(tvm, args[0], registers[args[2]], DIGEST_SIZE);
}

enum after_trap attest_get_attcaps(struct run *run)
{
	return run_status(&run->vcpu->context,
			  get_capabilities(run->tvm, arguments(run)));
}

enum after_trap attest_extend_measurement(struct run *run)
{
	return run_status(&run->vcpu->context,
			  extend(run->tvm, arguments(run)));
}

enum after_trap attest_read_measurement(struct run *run)
{
	return run_status(&run->vcpu->context,
			  read(run->tvm, arguments(run)));
}
