// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm peek, poke, probe: physical memory, where a fault is an answer.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tvm.h"

#define DEFAULT_LENGTH	8
#define MAX_LENGTH	(64ULL << 20)

/* Moves all or stops at a fault; returns false when the driver refuses. */
static bool move(unsigned long request, uint64_t addr, uint8_t *buf,
		 uint64_t size, struct covh_mem *total)
{
	static int fd = -1;

	if (fd < 0)
		fd = device_open();
	if (fd < 0)
		return false;
	*total = (struct covh_mem){ .addr = addr, .len = size };
	while (total->done < size && !total->fault) {
		struct covh_mem mem = {
			.addr = addr + total->done,
			.buf = (uintptr_t)buf + total->done,
			.len = size - total->done,
		};

		if (mem.len > COVH_MEM_MAX)
			mem.len = COVH_MEM_MAX;
		if (ioctl(fd, request, &mem)) {
			fprintf(stderr, "tvm: %#" PRIx64 ": %s%s\n", addr,
				strerror(errno), errno == EINVAL ?
				"; physical addresses have 56 bits" : "");
			return false;
		}
		total->done += mem.done;
		total->fault = mem.fault;
	}
	return true;
}

static bool json_option(struct args *args)
{
	bool json = false;

	while (args_more(args)) {
		const char *word = args_word(args, "option");

		if (strcmp(word, "--json"))
			usage_error("unexpected \"%s\"", word);
		json = true;
	}
	return json;
}

static void print_peek_json(const struct covh_mem *mem, const uint8_t *buf)
{
	json_begin();
	json_unsigned("addr", mem->addr);
	json_bool("fault", mem->fault);
	if (mem->fault)
		json_unsigned("read", mem->done);
	else
		json_hex("data", buf, mem->done);
	json_end();
}

static void print_poke_json(const struct covh_mem *mem)
{
	json_begin();
	json_unsigned("addr", mem->addr);
	json_bool("fault", mem->fault);
	json_end();
}

static void print_peek_text(const struct covh_mem *mem, const uint8_t *buf)
{
	for (uint64_t i = 0; i < mem->done; i++)
		printf("%02x", buf[i]);
	if (mem->fault)
		printf("%sfault at %#" PRIx64, mem->done ? " " : "",
		       (uint64_t)(mem->addr + mem->done));
	putchar('\n');
}

enum status verb_peek(struct args *args)
{
	uint64_t addr = args_number(args, "ADDR");
	uint64_t size = DEFAULT_LENGTH;
	struct covh_mem mem;
	uint8_t *buf;

	if (args_more(args) && strcmp(args->words[args->next], "--json"))
		size = args_number(args, "LEN");
	if (size > MAX_LENGTH)
		usage_error("LEN is at most %llu", MAX_LENGTH);
	bool json = json_option(args);

	buf = malloc(size ? size : 1);
	if (!buf || !move(COVH_PEEK, addr, buf, size, &mem))
		return STATUS_FAILED;
	if (json)
		print_peek_json(&mem, buf);
	else
		print_peek_text(&mem, buf);
	return STATUS_OK;
}

static unsigned int digit_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower(c) - 'a' + 10;
}

static uint64_t parse_hex(const char *text, uint8_t *buf)
{
	size_t length = strlen(text);

	if (!length || length % 2)
		usage_error("HEX needs an even number of digits, two a byte");
	for (size_t i = 0; i < length; i++)
		if (!isxdigit((unsigned char)text[i]))
			usage_error("HEX: '%c' is not a hexadecimal digit", text[i]);
	for (size_t i = 0; i < length / 2; i++)
		buf[i] = digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]);
	return length / 2;
}

enum status verb_poke(struct args *args)
{
	uint64_t addr = args_number(args, "ADDR");
	const char *text = args_word(args, "HEX");
	bool json = json_option(args);
	uint8_t *buf = malloc(strlen(text) / 2 + 1);
	struct covh_mem mem;

	if (!buf || !move(COVH_POKE, addr, buf, parse_hex(text, buf), &mem))
		return STATUS_FAILED;
	if (json)
		print_poke_json(&mem);
	else
		puts(mem.fault ? "fault" : "ok");
	return STATUS_OK;
}

/* Many addresses in one process: starting one costs more than the accesses. */
enum status verb_probe(struct args *args)
{
	const char *text = args_word(args, "HEX");
	uint8_t *data = malloc(strlen(text) / 2 + 1);
	uint8_t *found = malloc(strlen(text) / 2 + 1);
	struct covh_mem mem;
	uint64_t size;

	if (!data || !found)
		return STATUS_FAILED;
	size = parse_hex(text, data);
	while (args_more(args)) {
		uint64_t addr = args_number(args, "ADDR");

		if (!move(COVH_PEEK, addr, found, size, &mem))
			return STATUS_FAILED;
		print_peek_json(&mem, found);
		if (!move(COVH_POKE, addr, data, size, &mem))
			return STATUS_FAILED;
		print_poke_json(&mem);
	}
	return STATUS_OK;
}
