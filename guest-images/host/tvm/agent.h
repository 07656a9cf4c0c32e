// SPDX-License-Identifier: BSD-2-Clause
/* The agent: runs the harness's commands and says what came of them, framed. */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define ID_SIZE 8
#define LINE_SIZE 128

/** A request as far as it has arrived. */
struct request {
	char id[ID_SIZE + 1];
	char *body;
	size_t length;
	uint32_t crc;
};

/** Bytes that grow. */
struct bytes {
	char *data;
	size_t length;
	size_t room;
};

/**
 * A shell that lives from command to command, in a process group of its own.
 * @pid: 0 until the first command that needs one
 * @direct: the command that runs without a shell, 0: none does
 * @output: what all commands say; they write to @into
 */
struct shell {
	pid_t pid;
	pid_t direct;
	int script;
	int control;
	int output;
	int into;
	int status;
};

/* agent.c */
void go_to_any_hart(void);

/* agent_wire.c */
uint32_t crc32_more(uint32_t crc, const char *data, size_t length);
void put_all(int fd, const char *data, size_t length);
void put_parts(int fd, const struct iovec *parts, int count);
void put_line(int fd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void put_armoured(int fd, const char *id, const char *data, size_t from,
		  size_t to);
char *bytes_room(struct bytes *bytes, size_t more);

/* agent_shell.c */
void shell_open(struct shell *shell);
pid_t shell_group(const struct shell *shell);
void shell_run(struct shell *shell, const struct request *request);
bool shell_ended(struct shell *shell, int *status);
bool shell_finished(struct shell *shell, int *status);
void shell_close(struct shell *shell);
bool direct_ended(struct shell *shell, int *status);

/* agent_direct.c */
bool direct_can(const struct request *request);
void direct_run(struct shell *shell, const struct request *request)
	__attribute__((noreturn));

/* main.c */
int tvm_main(int argc, char **argv);

#endif
