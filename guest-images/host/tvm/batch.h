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

/* A line of the file, and the CPU that it names, negative: none */
struct batch_line {
	char *text;
	int64_t cpu;
};

struct batch {
	FILE *file;
	/* What was read and is not dropped: the lines from `first` to `count` */
	struct batch_line *lines;
	unsigned long first, count, room;
	/* The file was read to its end */
	bool whole;
	int fd;
	bool brief;
	enum status status;
	/* Lines that were taken */
	unsigned long number;
	char *words[BATCH_WORDS];
	struct args args;
	/* A line that was read, and has to be made on another CPU */
	bool waits;
	struct call_options options;
	struct covh_call call;
};

/* Make lines on this CPU; returns the CPU of the next one, negative: the end. */
int64_t batch_lines(struct batch *batch, int64_t cpu);
/* The CPU that the line so many behind the one in hand names, negative: none */
int64_t batch_cpu_after(const struct batch *batch, unsigned long lines);

/* batch_seats.c */
bool batch_seat(struct batch *batch, int64_t cpu);
void batch_pass(int64_t cpu);
void batch_announce(const struct batch *batch, int64_t cpu);
/* Wait for a post that comes soon */
void batch_wait(sem_t *event);

/* batch_flip.c */
bool flip_begin(int fd, const struct call_options *options);
void flip_end(void);
bool flip_line(struct args *args, struct covh_call *call);

/* batch_beside.c */
bool beside_line(struct args *args, int fd, bool *done);
bool batch_elsewhere(pthread_attr_t *attr);

#endif
