// SPDX-License-Identifier: BSD-2-Clause
/* The words of a command line that ask for devices */
#include <string.h>

#include "devices.h"
#include "options.h"
#include "tvm.h"

bool devices_option(struct args *args, struct devices_wish *wish,
		    const char *word)
{
	if (!strcmp(word, "--rng")) {
		wish->rng = true;
	} else if (!strcmp(word, "--net")) {
		wish->net = true;
	} else if (!strcmp(word, "--disk")) {
		if (wish->disk_count == DEVICES_MAX)
			usage_error("%d disks at most", DEVICES_MAX);
		wish->disks[wish->disk_count++] = args_word(args, word);
	} else {
		return false;
	}
	return true;
}
