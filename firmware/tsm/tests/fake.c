// SPDX-License-Identifier: BSD-2-Clause
/* The machine: all that arch/ is on a hart. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "attest/attest.h"
#include "mem/files.h"
#include "tests/test.h"

struct fake fake;
struct tsm_boot_info fake_info;

static u8 *ram;
static struct teecall last_call;

static void map_ram(void)
{
	if (ram)
		munmap(ram, RAM_SIZE);
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED) {
		perror("mmap");
		exit(99);
	}
}

/* An address outside of RAM must never be touched: that is the point. */
void *phys_to_virt(u64 pa)
{
	if (pa - RAM_BASE >= RAM_SIZE || pa - FIRMWARE_BASE < FIRMWARE_SIZE) {
		fprintf(stderr, "the TSM touches %#lx\n", pa);
		abort();
	}
	return ram + (pa - RAM_BASE);
}

unsigned int arch_hart(void)
{
	return fake.hart;
}

u64 arch_time(void)
{
	return fake.time++;
}

u64 arch_instret(void)
{
	return fake.time++;
}

static void look(enum look when)
{
	if (fake.look)
		fake.look(when);
}

bool arch_interrupt_pending(void)
{
	fake.polls++;
	look(LOOK_POLL);
	if (fake.interrupt_always)
		return true;
	if (!fake.interrupt_after)
		return false;
	return --fake.interrupt_after == 0;
}

u64 arch_image_end(void)
{
	return TSM_BASE + 0x80000;
}

void arch_zero_block(void *block)
{
	/* Without Zicboz it is an illegal instruction; elsewhere it rounds down. */
	check_true(fake.block_size);
	check_equal((u64)block % fake.block_size, 0);
	memset(block, 0, fake.block_size);
	fake.blocks_zeroed++;
}

const char *arch_probe(const struct tsm_boot_info *info)
{
	(void)info;
	return NULL;
}

static s64 moved(u64 base, u64 pages, s64 error)
{
	fake.moved_base = base;
	fake.moved_pages = pages;
	return error;
}

s64 tsmd_assign(u64 base, u64 pages)
{
	fake.assigns++;
	return moved(base, pages, fake.assign_error);
}

s64 tsmd_release(u64 base, u64 pages)
{
	fake.releases++;
	return moved(base, pages, fake.release_error);
}

u64 tsmd_harts_running(void)
{
	fake.asked++;
	return ~fake.stopped;
}

void tsmd_panic(const char *text, size_t length)
{
	fprintf(stderr, "panic: %.*s\n", (int)length, text);
	abort();
}

void tsmd_ready(u64 version)
{
	fprintf(stderr, "ready(%lu) outside of a boot\n", version);
	abort();
}

void tsmd_ret(const struct answer *answer)
{
	fprintf(stderr, "ret(%ld) outside of a call\n", answer->error);
	abort();
}

void tsmd_ret_interrupted(void)
{
	abort();
}

size_t arch_vector_size(void)
{
	return fake.vector_size;
}

void arch_guest_init(struct guest_context *guest, void *vector, u64 pc, u64 a0,
		     u64 a1)
{
	memset(guest, 0, sizeof(*guest));
	guest->vector = vector;
	guest->sepc = pc;
	guest->supervisor = true;
	guest->gpr[10] = a0;
	guest->gpr[11] = a1;
}

static void step(enum fake_step what)
{
	if (fake.steps < ARRAY_SIZE(fake.step))
		fake.step[fake.steps++] = what;
}

void arch_guest_load(const struct guest_context *guest,
		     const struct guest_space *space)
{
	(void)guest;
	fake.space = *space;
	fake.loaded = true;
	step(FAKE_LOAD);
}

void arch_guest_fence(u16 vmid)
{
	check_true(fake.loaded);
	check_equal(vmid, fake.space.vmid);
	fake.cached[fake.hart][vmid] = 0;
	fake.fences++;
	step(FAKE_FENCE);
}

void arch_fence_code(void)
{
}

bool arch_have_timer(void)
{
	return !fake.no_timer;
}

bool arch_guest_fetch(const struct guest_context *guest, u32 *instruction)
{
	check_true(fake.loaded);
	(void)guest;
	*instruction = fake.instruction;
	return !fake.fetch_fails;
}

void arch_guest_enter(struct guest_context *guest)
{
	u64 *cached = &fake.cached[fake.hart][fake.space.vmid];

	check_true(fake.loaded);
	/* A hart uses what it has cached for the VMID, whoever it was for. */
	check_true(!*cached || *cached == fake.space.root);
	*cached = fake.space.root;
	step(FAKE_ENTRY);
	fake.guest_entries++;
	fake.guest(guest);
}

void arch_guest_put(struct guest_context *guest)
{
	(void)guest;
	fake.loaded = false;
	step(FAKE_PUT);
}

static void describe_machine(void)
{
	fake_info = (struct tsm_boot_info){
		.magic = COVE_BOOT_INFO_MAGIC,
		.version = TEECALL_ABI_VERSION,
		.sdid = 1,
		.hart_count = 2,
		.ram_count = 1,
		.timebase_hz = 10000000,
		.tsm = { TSM_BASE, TSM_SIZE },
		.pool = { POOL_BASE, POOL_SIZE },
		.firmware = { FIRMWARE_BASE, FIRMWARE_SIZE },
		.ram = { { RAM_BASE, RAM_SIZE } },
		.hart_id = { 0, 1 },
	};
}

void fake_zicboz(u64 block_size)
{
	fake.block_size = block_size;
	fake_info.features = block_size ? TEE_FEATURE_CBO_ZERO : 0;
	scrub_init(&fake_info);
	fake.blocks_zeroed = 0;
}

void fake_boot(void)
{
	map_ram();
	memset(&fake, 0, sizeof(fake));
	memset(&tsm_stats, 0, sizeof(tsm_stats));
	describe_machine();
	trace_init(&fake_info);
	fake_zicboz(64);
	fence_init();
	host_init(&fake_info);
	files_init(&fake_info);
	pages_init(&fake_info, arch_image_end());
	tvm_init();
	long_init();
	attest_init(&fake_info);
}

void fake_boot_aia(unsigned int count)
{
	unsigned int i;

	fake.files = count;
	fake_info.imsic_guest_pages = 7;
	fake_info.imsic_ids = 255;
	for (i = 0; i < fake_info.hart_count; i++)
		fake_info.imsic[i] = FAKE_IMSIC + i * FAKE_IMSIC_STRIDE;
	files_init(&fake_info);
}

unsigned int arch_guest_files(void)
{
	return fake.files;
}

void arch_file_load(unsigned int number, const struct interrupt_file *file,
		    u64 ids)
{
	check_true(number && number <= fake.files);
	check_equal(ids, fake_info.imsic_ids);
	fake.file[fake.hart][number] = *file;
}

void arch_file_put(unsigned int number, struct interrupt_file *file, u64 ids)
{
	check_equal(ids, fake_info.imsic_ids);
	*file = fake.file[fake.hart][number];
	memset(&fake.file[fake.hart][number], 0, sizeof(*file));
}

bool arch_file_waits(unsigned int number)
{
	const struct interrupt_file *file = &fake.file[fake.hart][number];
	unsigned int i;

	for (i = 0; i < INTERRUPT_WORDS; i++)
		if (file->delivery && file->pending[i] & file->enabled[i])
			return true;
	return false;
}

void arch_send_msi(u64 page, u32 id)
{
	u64 hart = (page - FAKE_IMSIC) / FAKE_IMSIC_STRIDE;
	u64 number = page % FAKE_IMSIC_STRIDE >> PAGE_SHIFT;

	check_true(hart < fake_info.hart_count && number &&
		   number <= fake.files);
	fake.msi_page = page;
	fake.msi = id;
	fake.file[hart][number].pending[id / 64] |= 1UL << id % 64;
}

static struct answer dispatch(void)
{
	struct answer answer;

	look(LOOK_BEGIN);
	answer = call_dispatch(&last_call);
	look(LOOK_END);
	return answer;
}

struct answer teecall(u64 fid, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	last_call = (struct teecall){
		.args = { a0, a1, a2, a3, a4, a5,
			  1UL << COVE_A6_SDID_SHIFT | fid, COVE_EID_COVH },
	};
	return dispatch();
}

struct answer teecall_of(u64 eid, u64 fid, u64 a0, u64 a1, u64 a2)
{
	last_call = (struct teecall){
		.args = { a0, a1, a2, 0, 0, 0,
			  1UL << COVE_A6_SDID_SHIFT | fid, eid },
	};
	return dispatch();
}

struct answer teecall_again(void)
{
	last_call.resume = COVE_TEECALL_RESUME;
	return dispatch();
}
