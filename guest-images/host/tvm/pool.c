// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tvm.h"

static void print_pool(const struct covh_pool_info *info, bool json)
{
	if (!json) {
		printf("base %#llx, size %#llx, %llu pages free, %llu confidential\n",
		       (unsigned long long)info->base,
		       (unsigned long long)info->size,
		       (unsigned long long)info->free,
		       (unsigned long long)info->confidential);
		return;
	}
	json_begin();
	json_unsigned("base", info->base);
	json_unsigned("size", info->size);
	json_unsigned("free", info->free);
	json_unsigned("confidential", info->confidential);
	json_end();
}

enum status verb_pool(struct args *args)
{
	struct covh_pool_info info = {};
	bool json = false;
	int fd;

	while (args_more(args)) {
		const char *word = args_word(args, "option");

		if (!strcmp(word, "--json"))
			json = true;
		else if (!strcmp(word, "--sdid"))
			info.sdid = args_number(args, word);
		else
			usage_error("unexpected \"%s\"", word);
	}
	if (info.sdid > COVE_A6_SDID_MASK)
		usage_error("--sdid is at most %d", COVE_A6_SDID_MASK);
	fd = device_open();
	if (fd < 0)
		return STATUS_FAILED;
	if (ioctl(fd, COVH_POOL_INFO, &info)) {
		fprintf(stderr, "tvm: pool: %s\n", strerror(errno));
		return STATUS_FAILED;
	}
	print_pool(&info, json);
	return STATUS_OK;
}
