// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first guest: answers what only this image, started with this nonce, can.
 *
 * The answer mixes the nonce with the 32 bytes of .secret, which exist nowhere
 * but in this guest's measured pages:
 *
 *	h = nonce
 *	for each of the four little-endian 64-bit words w of the secret:
 *		h = (h ^ w) * 0x9E3779B97F4A7C15 mod 2^64
 *		h = h ^ (h >> 29)
 *	answer = h
 */
#include "cove.h"
#include "sbi.h"

#define SECRET_WORDS	4
#define PRIMES_BELOW	10000

/* Volatile: the harness replaces the bytes in the ELF file after compilation. */
__attribute__((section(".secret"), aligned(8)))
const volatile uint64_t secret[SECRET_WORDS] = {
	0x0123456789abcdef, 0x1123456789abcdef,
	0x2123456789abcdef, 0x3123456789abcdef,
};

static uint8_t digest_page[4096] __attribute__((aligned(4096)));
static uint8_t composite[PRIMES_BELOW];

static uint64_t mix(uint64_t nonce)
{
	uint64_t h = nonce;

	for (int i = 0; i < SECRET_WORDS; i++) {
		h = (h ^ secret[i]) * 0x9E3779B97F4A7C15;
		h ^= h >> 29;
	}
	return h;
}

static unsigned long count_primes(void)
{
	unsigned long count = 0;

	for (unsigned int i = 2; i < PRIMES_BELOW; i++) {
		if (composite[i])
			continue;
		count++;
		for (unsigned int multiple = i * i; multiple < PRIMES_BELOW;
		     multiple += i)
			composite[multiple] = 1;
	}
	return count;
}

static void print_measurement(const char *name, unsigned int reg)
{
	long error = read_measurement(digest_page, sizeof(digest_page), reg);

	print(name);
	if (error) {
		print("error -");
		print_decimal(-error);
	} else {
		print_bytes(digest_page, COVE_MEASUREMENT_DIGEST_SIZE);
	}
	print("\n");
}

void guest_main(unsigned long vcpu_id, unsigned long nonce)
{
	(void)vcpu_id;
	print("hello: nonce=");
	print_hex64(nonce);
	print("\nhello: answer=");
	print_hex64(mix(nonce));
	print("\nhello: primes=");
	print_decimal(count_primes());
	print("\n");
	print_measurement("hello: measurement4=", COVE_MEASUREMENT_TVM_PAGES);
	print_measurement("hello: measurement5=", COVE_MEASUREMENT_TVM_ENTRY);
	print("hello: bye\n");
}
