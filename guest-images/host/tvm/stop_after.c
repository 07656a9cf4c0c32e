// SPDX-License-Identifier: BSD-2-Clause
/*
 * TVM_STOP_AFTER=FUNCTION[:N] in the environment: the tool stops itself right
 * behind the Nth call of that COVH function that the TSM has done. Whoever has
 * started it finds a TVM in just that state, and ends it there or lets it go on.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tvm.h"

#define VARIABLE	"TVM_STOP_AFTER"

static struct {
	bool known;
	uint64_t fid;
	/* Calls until then, 0: never */
	uint64_t left;
} stop;

static void learn(void)
{
	const char *text = getenv(VARIABLE);
	char name[64];
	size_t length;

	stop.known = true;
	if (!text)
		return;
	length = strcspn(text, ":");
	if (length >= sizeof(name))
		usage_error(VARIABLE ": no function of COVH has so long a name");
	memcpy(name, text, length);
	name[length] = 0;
	if (!function_by_name(COVE_EID_COVH, name, &stop.fid))
		usage_error(VARIABLE ": COVH has no function \"%s\"", name);
	stop.left = text[length] ? parse_number(text + length + 1, VARIABLE) : 1;
}

/** A COVH call was done: stop here if somebody wants that. */
void stop_after(uint32_t fid)
{
	if (!stop.known)
		learn();
	/* Threads that make calls at the same time hold the VMM's lock. */
	if (stop.left && stop.fid == fid && !--stop.left)
		kill(getpid(), SIGSTOP);
}
