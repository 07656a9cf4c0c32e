/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEVICES_OPTIONS_H
#define DEVICES_OPTIONS_H

#include <stdbool.h>

struct args;
struct devices_wish;

/* --disk FILE, --rng, --net; false: the word is none of them. */
bool devices_option(struct args *args, struct devices_wish *wish,
		    const char *word);

#endif
