// SPDX-License-Identifier: BSD-2-Clause
/*
 * Asks for evidence, extends a register, asks again, and prints it all. The
 * argument is the challenge that the host has chosen: its 64 bytes are eight
 * little-endian words, word n being mix(argument + n). An argument that begins
 * with the bytes "fault:" is the start of the challenge itself, for a TSM whose
 * task does itself harm on demand; then evidence is asked for twice, the
 * second time with a challenge that means no harm.
 *
 * The guest's key is the one whose public half the harness has put in .secret.
 */
#include "cove.h"
#include "sbi.h"

#define KEY_SIZE	32
#define HEADER_SIZE	8
#define PAGE		4096
/* Bytes in a line: the host's tool breaks long ones. */
#define ROW		256
#define FAULT		0x3a746c756166ULL	/* "fault:" */
#define FAULT_MASK	0xffffffffffffULL
/* Behind this one the evidence is printed too. */
#define LAST_FAULT	'c'
#define RUNTIME		COVE_MEASUREMENT_INITIAL

__attribute__((section(".secret"), aligned(8)))
const volatile uint8_t secret[KEY_SIZE] = { 1 };

/* COSE_Key: {1: 1 (OKP), -1: 6 (Ed25519), -2: the key} */
static const uint8_t key_header[HEADER_SIZE] = {
	0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20,
};

static uint8_t page[PAGE] __attribute__((aligned(PAGE)));
static uint8_t evidence[COVE_ATTEST_MAX_EVIDENCE];
static uint8_t key[HEADER_SIZE + KEY_SIZE];
static uint64_t challenge[COVE_ATTEST_CHALLENGE_SIZE / 8];

static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

static void choose(uint64_t arg)
{
	for (unsigned int i = 0; i < COVE_ATTEST_CHALLENGE_SIZE / 8; i++)
		challenge[i] = mix(arg + i);
}

static struct sbi_ret get_evidence(unsigned long room)
{
	register unsigned long a0 asm("a0") = (unsigned long)key;
	register unsigned long a1 asm("a1") = sizeof(key);
	register unsigned long a2 asm("a2") = (unsigned long)challenge;
	register unsigned long a3 asm("a3") = COVE_ATTEST_FORMAT_CBOR;
	register unsigned long a4 asm("a4") = (unsigned long)evidence;
	register unsigned long a5 asm("a5") = room;
	register unsigned long a6 asm("a6") = COVE_COVG_GET_EVIDENCE;
	register unsigned long a7 asm("a7") = COVE_EID_COVG;

	asm volatile("ecall"
		     : "+r"(a0), "+r"(a1)
		     : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
		     : "memory");
	return (struct sbi_ret){ .error = (long)a0, .value = a1 };
}

static void print_error(const char *name, long error)
{
	print(name);
	print(error < 0 ? "-" : "");
	print_decimal(error < 0 ? -error : error);
	print("\n");
}

static void print_evidence(const char *name)
{
	struct sbi_ret ret = get_evidence(sizeof(evidence));

	if (ret.error) {
		print(name);
		print_error("error ", ret.error);
		return;
	}
	for (unsigned long at = 0; at < ret.value; at += ROW) {
		print(name);
		print_bytes(evidence + at,
			    ret.value - at < ROW ? ret.value - at : ROW);
		print("\n");
	}
}

static void print_register(unsigned int number)
{
	long error = read_measurement(page, sizeof(page), number);

	print("attest: register");
	print_decimal(number);
	if (error) {
		print_error("=error ", error);
		return;
	}
	print("=");
	print_bytes(page, COVE_MEASUREMENT_DIGEST_SIZE);
	print("\n");
}

static long extend(unsigned int number, uint8_t first)
{
	for (unsigned int i = 0; i < COVE_MEASUREMENT_DIGEST_SIZE; i++)
		page[i] = first + i;
	return sbi_call(COVE_EID_COVG, COVE_COVG_EXTEND_MEASUREMENT,
			(unsigned long)page, COVE_MEASUREMENT_DIGEST_SIZE,
			number).error;
}

static void print_capabilities(void)
{
	print_error("attest: attcaps=",
		    sbi_call(COVE_EID_COVG, COVE_COVG_GET_ATTCAPS,
			     (unsigned long)page, sizeof(page), 0).error);
	print("attest: formats=");
	print_decimal(*(uint32_t *)(page + 12));
	print("\nattest: initial=");
	print_decimal(page[16]);
	print("\nattest: runtime=");
	print_decimal(page[17]);
	print("\n");
}

/* Instructions count only under -icount, and only on a machine of one hart. */
static void print_cost(void)
{
	unsigned long ticks, instructions, ticks_end, instructions_end;

	asm volatile("rdtime %0; rdinstret %1"
		     : "=r"(ticks), "=r"(instructions));
	get_evidence(sizeof(evidence));
	asm volatile("rdinstret %0; rdtime %1"
		     : "=r"(instructions_end), "=r"(ticks_end));
	print("attest: ticks=");
	print_decimal(ticks_end - ticks);
	print("\nattest: instructions=");
	print_decimal(instructions_end - instructions);
	print("\n");
}

static void ask_for_harm(uint64_t arg)
{
	challenge[0] = arg;
	print_error("attest: harm=", get_evidence(sizeof(evidence)).error);
	choose(arg);
	print_error("attest: after=", get_evidence(sizeof(evidence)).error);
	if (arg >> 48 == LAST_FAULT)
		print_evidence("attest: evidence=");
}

void guest_main(unsigned long vcpu_id, unsigned long arg)
{
	(void)vcpu_id;
	for (unsigned int i = 0; i < HEADER_SIZE; i++)
		key[i] = key_header[i];
	for (unsigned int i = 0; i < KEY_SIZE; i++)
		key[HEADER_SIZE + i] = secret[i];
	choose(arg);
	if ((arg & FAULT_MASK) == FAULT) {
		ask_for_harm(arg);
		print("attest: bye\n");
		return;
	}
	print_capabilities();
	for (unsigned int i = 0; i < RUNTIME + COVE_MEASUREMENT_RUNTIME; i++)
		print_register(i);
	print_evidence("attest: evidence=");
	print_error("attest: small=", get_evidence(100).error);
	print_error("attest: extend=", extend(RUNTIME, 1) | extend(RUNTIME, 2));
	print_error("attest: frozen=", extend(COVE_MEASUREMENT_TVM_ENTRY, 1));
	print_register(RUNTIME);
	print_evidence("attest: extended=");
	print_cost();
	print("attest: bye\n");
}
