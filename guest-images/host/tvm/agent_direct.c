// SPDX-License-Identifier: BSD-2-Clause
/*
 * Commands that need no shell: a verb of this very program with plain words,
 * run by a process that is forked from the agent. Starting a shell and then
 * the program anew takes an emulated machine several times as long.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "agent.h"

#define LONGEST		4000
#define MOST_WORDS	256

static const char poweroff[] = "poweroff -f";

static bool is_poweroff(const struct request *request)
{
	return request->length == sizeof(poweroff) - 1 &&
	       !memcmp(request->body, poweroff, request->length);
}

/* What a shell takes for nothing but itself, wherever in a word it stands. */
static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || (c && strchr(" _-+./:,@%=", c));
}

static bool begins_with(const struct request *request, const char *text)
{
	size_t length = strlen(text);

	return request->length >= length &&
	       !memcmp(request->body, text, length);
}

/** Tell whether a command means the same without a shell. */
bool direct_can(const struct request *request)
{
	size_t words = 1;

	if (is_poweroff(request))
		return true;
	/* An agent in the agent is nothing that anybody has to wait less for. */
	if (request->length > LONGEST || !begins_with(request, "tvm ") ||
	    begins_with(request, "tvm agent"))
		return false;
	for (size_t i = 0; i < request->length; i++) {
		if (!is_plain(request->body[i]))
			return false;
		words += request->body[i] == ' ';
	}
	return words < MOST_WORDS;
}

/* As after exec(): nothing of the agent's is left but the standard files. */
static void become_command(const struct shell *shell)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	go_to_any_hart();
	setpgid(0, 0);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0) < 0 ||
	    dup2(shell->into, 1) < 0 || dup2(shell->into, 2) < 0 ||
	    close_range(3, ~0U, 0))
		_exit(126);
}

/** Run a command for which direct_can() holds, in a process of its own. */
void direct_run(struct shell *shell, const struct request *request)
{
	char *words[MOST_WORDS + 1] = {}, *rest = NULL, *word;
	char line[LONGEST + 1] = "";
	int count = 0;

	become_command(shell);
	if (is_poweroff(request)) {
		sync();
		reboot(RB_POWER_OFF);
		_exit(1);
	}
	memcpy(line, request->body, request->length);
	for (word = strtok_r(line, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	exit(tvm_main(count, words));
}
