// SPDX-License-Identifier: BSD-2-Clause
/*
 * A host that gives interrupt files to a TVM. It says what each call answers;
 * what the answers have to be is the harness's to know.
 */
#include "cove.h"
#include "covi.h"
#include "launch.h"

#define FILE_1		2UL
/* Ticks of 10 MHz: the guest has long been in its loop. */
#define SPIN_TICKS	1000000UL
#define NACL_A0		10
#define NACL_CSR(n)	(COVE_NACL_CSRS_OFFSET / 8 + (((n) & 0xc00) >> 2 | ((n) & 0xff)))
#define HTIMEDELTA	0x605
#define EIDELIVERY	0x70
#define EIP0		0x80
#define EIE0		0xc0
#define SAY(name, ...)	say(#name, (int64_t)(__VA_ARGS__))

struct aia_params {
	uint64_t imsic_base;
	uint32_t group_index_bits;
	uint32_t group_index_shift;
	uint32_t hart_index_bits;
	uint32_t guest_index_bits;
	uint32_t guests_per_hart;
	uint32_t padding;
};

volatile struct plan plan __attribute__((section(".data"))) = {
	.harts = 2,
};

static uint64_t self, peer;
static uint64_t nacl[2][COVE_NACL_SHMEM_SIZE / 8] __attribute__((aligned(4096)));
static uint64_t injected_at;
static struct launch tvm = {
	.image = guest_image,
	.pages = 1,
	.gpa = GUEST_GPA,
	.gpa_end = GUEST_GPA + PAGE,
	.entry = GUEST_GPA,
};

void covi_main(uint64_t hart);

/* The compiler makes calls of them. */
void *memset(void *to, int value, unsigned long count)
{
	unsigned char *byte = to;

	while (count--)
		*byte++ = value;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long count)
{
	unsigned char *byte = to;
	const unsigned char *source = from;

	while (count--)
		*byte++ = *source++;
	return to;
}

static uint64_t file_page(uint64_t hart)
{
	return plan.imsic + hart * plan.stride + PAGE;
}

static int64_t inject(uint64_t id)
{
	return covi(COVE_COVI_INJECT_TVM_CPU, tvm.id, 0, id);
}

static uint64_t scause(void)
{
	uint64_t value;

	__asm__ volatile("csrr %0, scause" : "=r"(value));
	return value;
}

/* @return scause of the exit, or the error */
static int64_t run(void)
{
	int64_t error = covh(COVE_COVH_RUN_TVM_VCPU, tvm.id, 0, 0);

	return error ? error : (int64_t)scause();
}

static int64_t local_fence(void)
{
	return covh(COVE_COVH_LOCAL_FENCE, 0, 0, 0);
}

static int64_t peer_shmem(void)
{
	return launch_set_shmem(nacl[1]);
}

static int64_t read_file_of_self(void)
{
	return try_read(file_page(self));
}

static uint64_t convert_file(uint64_t hart)
{
	int64_t error = covi(COVE_COVI_CONVERT_AIA_IMSIC, file_page(hart), 0, 0);

	if (error)
		SAY(convert_refused, error);
	return !error;
}

/*
 * One file of each hart, as many as the isolation hardware has entries for.
 * Those that are used below come first: any hart may be the one that boots.
 */
static void convert(void)
{
	uint64_t i, converted;

	SAY(read_before, try_read(file_page(self)));
	SAY(convert_own_file, covi(COVE_COVI_CONVERT_AIA_IMSIC,
				   file_page(self) - PAGE, 0, 0));
	converted = convert_file(self) + convert_file(peer);
	for (i = 0; i < plan.harts; i++)
		if (i != self && i != peer)
			converted += convert_file(i);
	SAY(converted, converted);
	SAY(convert_again, covi(COVE_COVI_CONVERT_AIA_IMSIC, file_page(self),
				0, 0));
	SAY(reclaim_unfenced, covi(COVE_COVI_RECLAIM_TVM_AIA_IMSIC,
				   file_page(self), 0, 0));
	SAY(global_fence, covh(COVE_COVH_GLOBAL_FENCE, 0, 0, 0));
	SAY(local_fence, local_fence());
	SAY(peer_fence, other_do(local_fence));
	SAY(read_closed, try_read(file_page(self)));
	SAY(write_closed, try_write(file_page(self), GUEST_ID));
	SAY(peer_read_closed, other_do(read_file_of_self));
}

static void build(void)
{
	const struct aia_params params = {
		.imsic_base = GUEST_IMSIC,
		.group_index_shift = 24,
	};

	SAY(launch_create, launch_create(&tvm));
	SAY(init_tvm_aia, covi(COVE_COVI_INIT_TVM_AIA, tvm.id,
			       (uint64_t)&params, sizeof(params)));
	SAY(finalize_without_address, launch_finalize(&tvm));
	SAY(set_address, covi(COVE_COVI_SET_TVM_AIA_CPU_IMSIC_ADDR, tvm.id, 0,
			      GUEST_IMSIC));
	SAY(launch_finalize, launch_finalize(&tvm));
	SAY(run_unbound, run());
	SAY(bind, covi(COVE_COVI_BIND_AIA_IMSIC, tvm.id, 0, FILE_1));
	SAY(reclaim_bound, covi(COVE_COVI_RECLAIM_TVM_AIA_IMSIC,
				file_page(self), 0, 0));
}

static void wait_and_take(void)
{
	SAY(inject_not_allowed, inject(GUEST_ID));
	SAY(guest_allows, run());
	SAY(guest_waits, run());
	SAY(inject_another, inject(GUEST_ID + 1));
	SAY(inject, inject(GUEST_ID));
	SAY(guest_reports, run());
	SAY(guest_took, nacl[0][NACL_A0]);
}

/* Of the guest interrupt file that hstatus.VGEIN selects, by vsiselect, vsireg */
static uint64_t swap(uint64_t select, uint64_t value)
{
	uint64_t old;

	__asm__ volatile("csrw 0x250, %1\n\tcsrrw %0, 0x251, %2"
			 : "=&r"(old) : "r"(select), "r"(value));
	return old;
}

/*
 * The registers of the file are open to us by hstatus.VGEIN, whatever the PMP
 * says of its page. The guest's state must not be in them, and what we leave
 * there must not be the guest's.
 */
static void meddle(void)
{
	uint64_t hstatus;

	SAY(guest_waits_again, run());
	__asm__ volatile("csrrw %0, 0x600, %1" : "=r"(hstatus)
			 : "r"(1UL << 12));
	SAY(host_sees_delivery, swap(EIDELIVERY, 1));
	SAY(host_sees_enabled, swap(EIE0, 1UL << GUEST_ID));
	SAY(host_sees_pending, swap(EIP0, 1UL << GUEST_ID));
	__asm__ volatile("csrw 0x600, %0" : : "r"(hstatus));
	SAY(guest_reports_again, run());
	SAY(guest_took_nothing, nacl[0][NACL_A0]);
}

static uint64_t now(void)
{
	uint64_t value;

	__asm__ volatile("csrr %0, time" : "=r"(value));
	return value;
}

static int64_t inject_later(void)
{
	uint64_t begin = now();

	while (now() - begin < SPIN_TICKS)
		;
	injected_at = now();
	return inject(GUEST_ID);
}

static void take_while_running(void)
{
	SAY(guest_about_to_spin, run());
	SAY(guest_says, nacl[0][NACL_A0]);
	other_begin(inject_later);
	SAY(guest_spun, run());
	SAY(guest_took_running, nacl[0][NACL_A0]);
	SAY(injected, other_wait());
	SAY(guest_tells_time, run());
	SAY(spun_before, nacl[0][NACL_A0] - nacl[0][NACL_CSR(HTIMEDELTA)] <
			 injected_at);
	SAY(guest_sends, run());
	SAY(guest_took_own, nacl[0][NACL_A0]);
}

static int64_t rebind_begin(void)
{
	return covi(COVE_COVI_REBIND_AIA_IMSIC_BEGIN, tvm.id, 0, FILE_1);
}

static int64_t rebind_clone(void)
{
	return covi(COVE_COVI_REBIND_AIA_IMSIC_CLONE, tvm.id, 0, 0);
}

static int64_t rebind_end(void)
{
	return covi(COVE_COVI_REBIND_AIA_IMSIC_END, tvm.id, 0, 0);
}

static void move(void)
{
	SAY(rebind_begin, other_do(rebind_begin));
	SAY(run_rebinding, run());
	SAY(clone_unfenced, rebind_clone());
	SAY(tvm_fence, covh(COVE_COVH_TVM_FENCE, tvm.id, 0, 0));
	SAY(rebind_clone, rebind_clone());
	SAY(inject_moving, inject(GUEST_ID));
	SAY(rebind_end, other_do(rebind_end));
	SAY(run_on_old_hart, run());
	SAY(guest_reports_there, other_do(run));
	SAY(guest_took_there, nacl[1][NACL_A0]);
}

static int64_t unbind_begin(void)
{
	return covi(COVE_COVI_UNBIND_AIA_IMSIC_BEGIN, tvm.id, 0, 0);
}

static int64_t unbind_end(void)
{
	return covi(COVE_COVI_UNBIND_AIA_IMSIC_END, tvm.id, 0, 0);
}

static void give_back(void)
{
	SAY(unbind_begin, other_do(unbind_begin));
	SAY(unbind_unfenced, other_do(unbind_end));
	SAY(tvm_fence_again, covh(COVE_COVH_TVM_FENCE, tvm.id, 0, 0));
	SAY(unbind_end, other_do(unbind_end));
	SAY(reclaim_self, covi(COVE_COVI_RECLAIM_TVM_AIA_IMSIC,
			       file_page(self), 0, 0));
	SAY(reclaim_peer, covi(COVE_COVI_RECLAIM_TVM_AIA_IMSIC,
			       file_page(peer), 0, 0));
	SAY(read_after, try_read(file_page(self)));
	SAY(peer_read_after, other_do(read_file_of_self));
	SAY(destroy, covh(COVE_COVH_DESTROY_TVM, tvm.id, 0, 0));
}

void covi_main(uint64_t hart)
{
	self = hart;
	peer = !hart;
	tvm.pool = plan.pool;
	other_start(peer);
	SAY(set_shmem, launch_set_shmem(nacl[0]));
	SAY(peer_set_shmem, other_do(peer_shmem));
	SAY(launch_convert, launch_convert(tvm.pool, LAUNCH_PAGES + tvm.pages,
					   &tvm.refused));
	SAY(peer_fence_pages, other_do(local_fence));
	convert();
	build();
	wait_and_take();
	meddle();
	take_while_running();
	move();
	give_back();
	SAY(done, 0);
	off();
}
