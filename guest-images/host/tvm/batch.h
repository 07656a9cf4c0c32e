/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch: lines of a file, each made on the CPU that it names.
 */
#ifndef BATCH_H
#define BATCH_H

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "call.h"

/* At most extension, function, six arguments, and the options twice over */
#define BATCH_WORDS	24

struct batch {
	FILE *file;
	int fd;
	bool brief;
	enum status status;
	unsigned long number;
	char *line;
	size_t size;
	char *words[BATCH_WORDS];
	struct args args;
	/* A line that was read, and has to be made on another CPU */
	bool waits;
	struct call_options options;
	struct covh_call call;
};

/* Make lines on this CPU; returns the CPU of the next one, negative: the end. */
int64_t batch_lines(struct batch *batch, int64_t cpu);

/* batch_seats.c */
bool batch_seat(struct batch *batch, int64_t cpu);
void batch_pass(int64_t cpu);
/* Wait for a post that comes soon */
void batch_wait(sem_t *event);

/* batch_flip.c */
bool flip_begin(int fd, const struct call_options *options);
void flip_end(void);

/* batch_beside.c */
bool beside_line(struct args *args, int fd, bool *done);
bool batch_elsewhere(pthread_attr_t *attr);

#endif
