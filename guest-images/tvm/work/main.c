// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "work.h"

#define MAX_WORDS	16

static const char usage[] =
"usage: work load NONCE SECONDS [PROCESSES]\n"
"          rounds of computing, memory and files, until SECONDS are over (0: for ever);\n"
"          `work: PROCESS ROUND CRC` says how far a process is, `done` before it that it ends\n"
"       work bench NAME...\n"
"          `bench: NAME TICKS` for each of integer memory fault touch syscall switch disk\n"
"       work time PROGRAM [ARGUMENT...]\n"
"          `bench: total TICKS`: how long the program has run\n"
"As the first process it takes these words from its console, and switches the machine off.\n";

/** One line in one write: several processes say something. */
void say(const char *format, ...)
{
	char line[256];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (size > 0 && write(STDOUT_FILENO, line, size) != size)
		_exit(1);
}

void fail(const char *what)
{
	say("work: failed: %s\n", what);
	_exit(1);
}

/* A program's life; what it prints goes where our output goes. */
static int time_of(char **words)
{
	uint64_t start = ticks();
	pid_t child = fork();
	int status;

	if (!child) {
		execvp(words[0], words);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		fail("fork");
	say("bench: total %llu\n", (unsigned long long)(ticks() - start));
	return status ? 1 : 0;
}

static int act(int count, char **words)
{
	if (count >= 3 && !strcmp(words[0], "load"))
		return load(count - 1, words + 1);
	if (count >= 1 && !strcmp(words[0], "bench"))
		return bench(count - 1, words + 1);
	if (count >= 2 && !strcmp(words[0], "time"))
		return time_of(words + 1);
	fputs(usage, stderr);
	return 2;
}

static void prepare(void)
{
	struct termios settings;

	if (mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, NULL))
		fail("mount");
	/* What is asked is not to be mistaken for an answer. */
	if (!tcgetattr(STDIN_FILENO, &settings)) {
		settings.c_lflag &= ~ECHO;
		tcsetattr(STDIN_FILENO, TCSANOW, &settings);
	}
}

static void first_process(void)
{
	char line[256], *words[MAX_WORDS], *rest = NULL;
	int count = 0;

	say("work: userspace at %llu\n", (unsigned long long)ticks());
	prepare();
	if (fgets(line, sizeof(line), stdin))
		for (char *word = strtok_r(line, " \r\n", &rest);
		     word && count < MAX_WORDS;
		     word = strtok_r(NULL, " \r\n", &rest))
			words[count++] = word;
	act(count, words);
	say("work: bye\n");
	/* What the console still holds is lost at power off. */
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		first_process();
	return act(argc - 1, argv + 1);
}
