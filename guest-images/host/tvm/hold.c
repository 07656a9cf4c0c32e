// SPDX-License-Identifier: BSD-2-Clause
/*
 * Holding a TVM: the process that has the driver open goes to the background
 * and waits; `tvm release NAME` wakes it and prints what it has left to say.
 *
 * Two FIFOs carry that: NAME.go wakes the holder, NAME.out brings its output,
 * ended by a zero byte and the exit status.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tvm.h"

#define HOLD_DIR	"/tmp"
#define NAME_LIMIT	64

static char go_path[NAME_LIMIT + 32];
static char out_path[NAME_LIMIT + 32];
static int go_fd = -1;

static void set_paths(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			usage_error("NAME has letters, digits, '-', '_' and '.' only");
	if (!*name || strlen(name) > NAME_LIMIT)
		usage_error("NAME has 1 to %d characters", NAME_LIMIT);
	snprintf(go_path, sizeof(go_path), HOLD_DIR "/tvm-%s.go", name);
	snprintf(out_path, sizeof(out_path), HOLD_DIR "/tvm-%s.out", name);
}

static void remove_fifos(void)
{
	unlink(go_path);
	unlink(out_path);
}

/* A FIFO without a reader is what a killed holder leaves. */
static int open_to_holder(void)
{
	return open(go_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

/** Reserve the name before the launch; false with a message if it is taken. */
bool hold_prepare(const char *name)
{
	int fd;

	set_paths(name);
	fd = open_to_holder();
	if (fd >= 0) {
		close(fd);
		fprintf(stderr, "tvm: a TVM is already held as \"%s\"; tvm release %s\n",
			name, name);
		return false;
	}
	mkdir(HOLD_DIR, 01777);
	remove_fifos();
	if (!mkfifo(go_path, 0600) && !mkfifo(out_path, 0600))
		go_fd = open(go_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (go_fd < 0)
		fprintf(stderr, "tvm: %s: %s\n", go_path, strerror(errno));
	return go_fd >= 0;
}

static void redirect(int fd)
{
	if (fd < 0)
		return;
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* A signal ends the wait too; nobody reads along then. */
static void wait_for_release(void)
{
	struct pollfd ready = { .fd = go_fd, .events = POLLIN };

	while (!stop_requested())
		if (poll(&ready, 1, -1) == 1) {
			redirect(open(out_path, O_WRONLY | O_CLOEXEC));
			return;
		}
}

/**
 * Go on in the background.
 * Returns -1 in the foreground, which is to exit; 0 in the background once
 * released; 1 when no background process could be made.
 */
int hold_in_background(const char *name, enum status status)
{
	pid_t child;

	event_held(name);
	fflush(NULL);
	child = fork();
	if (child > 0)
		_exit(status);
	if (child < 0) {
		perror("tvm: fork");
		return 1;
	}
	setsid();
	redirect(open("/dev/null", O_RDWR | O_CLOEXEC));
	wait_for_release();
	return 0;
}

/** Last words of the holder: its exit status, for `tvm release` to return. */
void hold_finish(enum status status)
{
	fflush(NULL);
	if (write(STDOUT_FILENO, (char[]){ 0, status }, 2) != 2)
		fputs("tvm: the releasing process is gone\n", stderr);
	remove_fifos();
}

/* Copies everything before the zero byte; returns the status after it. */
static enum status copy_output(int fd)
{
	char buf[4096];
	bool ended = false;
	ssize_t size;

	while ((size = read(fd, buf, sizeof(buf))) > 0) {
		char *zero = ended ? buf - 1 : memchr(buf, 0, size);
		size_t text = ended ? 0 : zero ? (size_t)(zero - buf) : (size_t)size;

		fwrite(buf, 1, text, stdout);
		fflush(stdout);
		if (zero && zero + 1 < buf + size)
			return zero[1];
		ended = zero;
	}
	fputs("tvm: the holder ended without its status; see dmesg\n", stderr);
	return STATUS_FAILED;
}

enum status verb_release(struct args *args)
{
	const char *name = args_word(args, "NAME");
	int go;
	int out;

	if (args_more(args))
		usage_error("unexpected \"%s\"", args->words[args->next]);
	set_paths(name);
	go = open_to_holder();
	if (go < 0) {
		fprintf(stderr, "tvm: no TVM is held as \"%s\"; tvm run --hold %s\n",
			name, name);
		return STATUS_FAILED;
	}
	out = write(go, "g", 1) == 1 ? open(out_path, O_RDONLY | O_CLOEXEC) : -1;
	if (out < 0) {
		perror("tvm: release");
		return STATUS_FAILED;
	}
	return copy_output(out);
}
