/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tvm: the host's tool for confidential guests and for calls into the TSM.
 */
#ifndef TVM_H
#define TVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cove.h"
#include "covh_uapi.h"
#include "signals.h"

#define PAGE_SIZE	4096ULL
#define BLOCK_SIZE	(2ULL << 20)
#define DEFAULT_SDID	1

/* Exit status of every verb */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* args.c: words of the command line; each prints what is wrong and exits 2 */
struct args {
	int count;
	char **words;
	int next;
};

void usage_error(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
/* Errors from here on are about this line of a batch. */
void usage_line(unsigned long number);
bool args_more(const struct args *args);
const char *args_word(struct args *args, const char *what);
uint64_t args_number(struct args *args, const char *what);
uint64_t parse_number(const char *word, const char *what);

/* json.c: one object a line on stdout */
void json_begin(void);
void json_end(void);
void json_string(const char *key, const char *value);
void json_string_bytes(const char *key, const char *value, size_t size);
void json_hex(const char *key, const uint8_t *data, size_t size);
void json_signed(const char *key, int64_t value);
void json_unsigned(const char *key, uint64_t value);
void json_bool(const char *key, bool value);
void json_array_begin(const char *key);
void json_array_end(void);
void json_item_begin(void);
void json_item_end(void);
void json_item_unsigned(uint64_t value);

/* names.c */
const char *error_name(int64_t error);
bool extension_by_name(const char *name, uint64_t *eid);
bool function_by_name(uint64_t eid, const char *name, uint64_t *fid);
bool has_sdid(uint64_t eid);

/* device.c */
int device_open(void);
int device_call(int fd, struct covh_call *call);
int64_t device_covh(int fd, uint32_t sdid, uint32_t fid, const uint64_t *args,
		    size_t count, uint64_t *value);

/* stop_after.c */
void stop_after(uint32_t fid);

/* elf.c */
struct segment {
	uint64_t gpa;
	uint64_t pages;
	const uint8_t *bytes;
	uint64_t size;
};

#define MAX_SEGMENTS 16

/* A guest image: what is measured where, and where it starts */
struct image {
	uint64_t entry;
	struct segment segments[MAX_SEGMENTS];
	size_t count;
	uint64_t pages;
	uint64_t region_base;
	uint64_t region_size;
};

bool image_load(struct image *image, const char *path, char *why, size_t size);

/* Pages of the pool that a TVM uses */
struct area {
	uint64_t base;
	uint64_t pages;
	/* Pages from base on that were converted */
	uint64_t converted;
};

/* launch.c, run.c, teardown.c: the life of one TVM */
struct tvm {
	int fd;
	uint32_t sdid;
	uint64_t id;
	bool created;
	uint64_t arg;
	struct image image;
	struct area memory;
	struct area staging;
	uint64_t first_data;
	/* vCPUs, 0 as 1; pages that are converted and left unassigned */
	uint64_t vcpus;
	struct area spare;
	/* A CPU runs the vCPU in an IPI, and not the tool where it is itself */
	bool in_ipi;
	uint32_t on_cpu;
	/* Give the CPU away at every exit */
	bool yield;
	/* The last call of the launch that was refused, and why */
	int64_t error;
	/* Pages were converted and not fenced since: none can be reclaimed */
	bool unfenced;
	/* Reclaims again as long as isolation entries lack for the hole */
	bool patient;
	/* Fills its memory with a pattern before the TSM gets it */
	bool dirty;
	/* Moves on to the next CPU before each turn of the vCPU */
	bool roams;
};

/* How a run ended */
struct run_end {
	const char *reason;
	struct covh_run last;
	uint64_t exits;
	uint64_t interrupts;
};

bool tvm_launch(struct tvm *tvm);
bool tvm_fence(struct tvm *tvm);
bool tvm_free_area(struct tvm *tvm, struct area *area);
bool tvm_run(struct tvm *tvm, uint64_t max_exits, struct run_end *end);
bool tvm_teardown(struct tvm *tvm);

/* roam.c: the vCPU's next turn is on the next CPU, and a short one */
void roam(struct covh_run *run);

/* console.c, event.c: what happened, as JSON lines or for people */
void events_as_json(bool json);
bool events_are_json(void);
void events_quiet(void);
bool events_are_quiet(void);
void event_begin(const char *event);
void event_finish_console(void);
void event_launch(const struct tvm *tvm);
void event_console(char c);
void event_exit(const struct run_end *end);
void event_held(const char *name);
void event_destroy(int64_t error);
void event_reclaim(uint64_t pages, int64_t error, uint64_t nonzero_bytes);
void event_gone(int64_t error);
void event_done(void);
void event_error(const char *call, int64_t error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* hold.c */
bool hold_prepare(const char *name);
int hold_in_background(const char *name, enum status status);
void hold_finish(enum status status);

/* verbs */
enum status verb_call(struct args *args);
enum status verb_batch(struct args *args);
enum status verb_run(struct args *args);
enum status verb_release(struct args *args);
enum status verb_peek(struct args *args);
enum status verb_poke(struct args *args);
enum status verb_probe(struct args *args);
enum status verb_pool(struct args *args);
enum status verb_storm(struct args *args);
enum status verb_visible(struct args *args);
enum status verb_shootdown(struct args *args);
enum status verb_contend(struct args *args);
enum status verb_vm(struct args *args);
enum status verb_linux(struct args *args);
enum status verb_payload(struct args *args);
enum status verb_agent(struct args *args);

#endif
