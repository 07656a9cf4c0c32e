/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One raw call, as `tvm call` and each line of `tvm batch` say it.
 */
#ifndef CALL_H
#define CALL_H

#include "tvm.h"

struct call_options {
	uint64_t eid;
	uint64_t fid;
	uint64_t sdid;
	uint64_t args[6];
	size_t count;
	int64_t cpu;
	/* Where a batch keeps the value for later lines, negative: nowhere */
	int64_t save;
	/* Made again as long as an interrupt of the host ends a run */
	bool again;
	/* In a batch: what another CPU writes meanwhile, and where */
	bool flip;
	uint64_t flip_addr;
	uint64_t flip_value;
	bool json;
};

/* call.c */
void call_parse(struct args *args, struct call_options *options,
		struct covh_call *call);
void call_print(const struct call_options *options, const struct covh_call *call);

/* batch.c: a number, or $N: what an earlier line has saved in slot N */
uint64_t batch_number(const char *word);

/* batch_memory.c: `host read`, `host write`, `host fill`, `host nonzero` */
bool memory_line(struct args *args, struct covh_call *call);

#endif
