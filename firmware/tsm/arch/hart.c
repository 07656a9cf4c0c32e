// SPDX-License-Identifier: BSD-2-Clause
/* What the hart tells and the calls to M-mode. */
#include "arch/arch.h"
#include "arch/csr.h"
#include "trace/trace.h"

extern const char __image_end[];
extern const char tsm_call_entry[];
extern const char tsm_stacks[];

void tsm_trap_panic(u64 scause, u64 sepc, u64 stval) __attribute__((noreturn));

u64 arch_time(void)
{
	return csr_read(CSR_TIME);
}

u64 arch_instret(void)
{
	return csr_read(CSR_INSTRET);
}

u64 arch_image_end(void)
{
	return (u64)__image_end;
}

struct tsmd_answer {
	s64 error;
	u64 value;
};

/* The calls that M-mode answers. */
static struct tsmd_answer tsmd_call(u64 function, u64 arg0, u64 arg1)
{
	register u64 a0 __asm__("a0") = arg0;
	register u64 a1 __asm__("a1") = arg1;
	register u64 a6 __asm__("a6") = function;
	register u64 a7 __asm__("a7") = COVE_EID_TSMD;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7)
			 : "memory");
	return (struct tsmd_answer){ .error = (s64)a0, .value = a1 };
}

s64 tsmd_assign(u64 base, u64 pages)
{
	return tsmd_call(COVE_TSMD_ASSIGN, base, pages).error;
}

s64 tsmd_release(u64 base, u64 pages)
{
	return tsmd_call(COVE_TSMD_RELEASE, base, pages).error;
}

u64 tsmd_harts_running(void)
{
	struct tsmd_answer answer = tsmd_call(COVE_TSMD_INFO,
					      COVE_INFO_HARTS_RUNNING, 0);

	/* Of a hart that nothing is known of the worst has to be expected. */
	return answer.error ? ~0UL : answer.value;
}

/*
 * The calls that M-mode does not come back from. Inline, so that arguments
 * come straight into their registers: every TEECALL ends here.
 */
static inline void __attribute__((noreturn, always_inline))
tsmd_leave(u64 function, u64 arg0, u64 arg1, u64 arg2, u64 arg3, u64 arg4)
{
	register u64 a0 __asm__("a0") = arg0;
	register u64 a1 __asm__("a1") = arg1;
	register u64 a2 __asm__("a2") = arg2;
	register u64 a3 __asm__("a3") = arg3;
	register u64 a4 __asm__("a4") = arg4;
	register u64 a6 __asm__("a6") = function;
	register u64 a7 __asm__("a7") = COVE_EID_TSMD;

	__asm__ volatile("ecall" : : "r"(a0), "r"(a1), "r"(a2), "r"(a3),
			 "r"(a4), "r"(a6), "r"(a7) : "memory");
	/* M-mode broke its promise; there is nobody left to tell. */
	for (;;)
		__asm__ volatile("wfi");
}

void tsmd_ready(u64 version)
{
	tsmd_leave(COVE_TSMD_READY, (u64)tsm_call_entry, version,
		   (u64)tsm_stacks, STACK_SIZE, 0);
}

void tsmd_panic(const char *text, size_t length)
{
	tsmd_leave(COVE_TSMD_PANIC, (u64)text, length, 0, 0, 0);
}

void tsmd_ret(const struct answer *answer)
{
	tsmd_leave(COVE_TSMD_RET, (u64)answer->error, answer->value,
		   answer->scause, answer->stval,
		   answer->cause_valid ? COVE_RET_CAUSE_VALID : 0);
}

void tsmd_ret_interrupted(void)
{
	tsmd_leave(COVE_TSMD_RET_INTERRUPTED, 0, 0, 0, 0, 0);
}

void tsm_trap_panic(u64 scause, u64 sepc, u64 stval)
{
	tsm_panic("trap in the TSM: scause=0x%lx sepc=0x%lx stval=0x%lx", scause,
		  sepc, stval);
}
