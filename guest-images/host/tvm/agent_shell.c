// SPDX-License-Identifier: BSD-2-Clause
/* The shell behind the agent: it keeps its folder and variables. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

/* Numbers that the shell knows its files by. */
#define CONTROL_FD 7
#define SCRIPT_FD 8
#define STATUS_FD 9
#define CONTROL_FILE "/proc/self/fd/7"
#define PIPE_SIZE (1 << 20)
/* A command up to this length goes to the shell directly. */
#define SHORT 1000

/* A longer one is a file, so that it may have any length. */
static const char run_script[] = ". /proc/self/fd/8";
static const char say_status[] = "; echo $? >&9\n";
/* An interrupted command ends, the shell does not. */
static const char prepare[] = "exec 7<&-; trap : INT\n";

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static void become_shell(int control, int output, int status, int script)
{
	sigset_t none;

	go_to_any_hart();
	/* Its own group, so that an interrupt reaches all of the command. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A shell cannot trap what it was started to ignore. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0) < 0 ||
	    dup2(control, CONTROL_FD) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
	    dup2(status, STATUS_FD) < 0 || dup2(script, SCRIPT_FD) < 0)
		_exit(126);
	execl("/bin/sh", "sh", CONTROL_FILE, (char *)NULL);
	_exit(127);
}

/** A pipe out of the way of the shell's own numbers. */
static void high_pipe(int ends[2])
{
	int low[2];

	must(pipe2(low, O_CLOEXEC), "pipe");
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 20);
		must(ends[i], "dup");
		close(low[i]);
	}
}

/**
 * Make the pipe that commands write to; the fields of `shell` are overwritten.
 * The shell itself is started by the first command that needs one.
 */
void shell_open(struct shell *shell)
{
	int output[2];

	high_pipe(output);
	/* A large pipe: fewer changes between the command and the agent. */
	fcntl(output[0], F_SETPIPE_SZ, PIPE_SIZE);
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	*shell = (struct shell){ .script = -1, .control = -1, .status = -1,
				 .output = output[0], .into = output[1] };
}

static void shell_start(struct shell *shell)
{
	int control[2], status[2], low;

	high_pipe(control);
	high_pipe(status);
	low = memfd_create("command", MFD_CLOEXEC);
	must(low, "memfd_create");
	shell->script = fcntl(low, F_DUPFD_CLOEXEC, 20);
	must(shell->script, "dup");
	close(low);
	shell->pid = fork();
	must(shell->pid, "fork");
	if (!shell->pid)
		become_shell(control[0], shell->into, status[1], shell->script);
	setpgid(shell->pid, shell->pid);
	close(control[0]);
	close(status[1]);
	shell->control = control[1];
	shell->status = status[0];
	fcntl(shell->status, F_SETFL, O_NONBLOCK);
	put_all(shell->control, prepare, sizeof(prepare) - 1);
}

/** Quote a command for the shell's `eval`; return the length of all of it. */
static size_t quoted(char *to, const char *command, size_t length)
{
	char *start = to;

	to = stpcpy(to, "eval '");
	for (size_t i = 0; i < length; i++) {
		if (command[i] == '\'')
			to = stpcpy(to, "'\\'");
		*to++ = command[i];
	}
	*to++ = '\'';
	return to - start;
}

/**
 * Run a command: in a process of the agent's own where that is the same, else
 * in the shell. What a shell knows (folder, variables, functions) changes what
 * a command means, so that all go to it once there is one.
 */
void shell_run(struct shell *shell, const struct request *request)
{
	char line[4 * SHORT + sizeof(say_status) + 16];
	size_t length;

	if (!shell->pid && direct_can(request)) {
		shell->direct = fork();
		must(shell->direct, "fork");
		if (!shell->direct)
			direct_run(shell, request);
		setpgid(shell->direct, shell->direct);
		return;
	}
	if (!shell->pid)
		shell_start(shell);
	if (request->length <= SHORT) {
		length = quoted(line, request->body, request->length);
	} else {
		must(ftruncate(shell->script, 0), "ftruncate");
		must(lseek(shell->script, 0, SEEK_SET), "lseek");
		put_all(shell->script, request->body, request->length);
		put_all(shell->script, "\n", 1);
		length = sizeof(run_script) - 1;
		memcpy(line, run_script, length);
	}
	memcpy(line + length, say_status, sizeof(say_status) - 1);
	put_all(shell->control, line, length + sizeof(say_status) - 1);
}

/** Tell whether the command has ended, and how. */
bool shell_finished(struct shell *shell, int *status)
{
	char line[16];
	ssize_t length = shell->pid ?
		read(shell->status, line, sizeof(line) - 1) : 0;

	if (length <= 0)
		return false;
	line[length] = 0;
	*status = atoi(line);
	return true;
}

/** Return the process group of the command that runs. */
pid_t shell_group(const struct shell *shell)
{
	return shell->direct ? shell->direct : shell->pid;
}

static bool reaped(pid_t pid, int *status)
{
	int how;

	if (!pid || waitpid(pid, &how, WNOHANG) != pid)
		return false;
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	return true;
}

/** Tell whether the shell itself has ended, and how, as a shell says it. */
bool shell_ended(struct shell *shell, int *status)
{
	return reaped(shell->pid, status);
}

/** Tell whether the command that runs without a shell has ended, and how. */
bool direct_ended(struct shell *shell, int *status)
{
	if (!reaped(shell->direct, status))
		return false;
	shell->direct = 0;
	return true;
}

/** Forget a shell that has ended. */
void shell_close(struct shell *shell)
{
	close(shell->control);
	close(shell->output);
	close(shell->into);
	close(shell->status);
	close(shell->script);
}
