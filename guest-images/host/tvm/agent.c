// SPDX-License-Identifier: BSD-2-Clause
/*
 * tvm agent [DEVICE]: runs the harness's commands, with framed answers.
 *
 * Takes requests from DEVICE (a virtio-serial port) or from the terminal that
 * is its standard input. Each is a line, the first with a body behind it:
 *
 *   TEERUN ID LENGTH CRC    run the LENGTH bytes that follow in the shell
 *   TEEASK ID FROM TO       send bytes FROM to TO of its output once more
 *   TEEINT ID               interrupt it
 *   echo TEE\READY-NAME     what the harness asks a shell: TEEAGENT-NAME
 *
 * ID has eight characters, CRC is CRC-32 in hexadecimal. The answer to TEERUN:
 *
 *   TEEBEGIN-ID\n OUTPUT \nTEECALL-ID STATUS LENGTH CRC\n
 *
 * or TEENAK-ID\n where the body is not what its checksum says. A request that
 * comes twice is run once. TEEASK answers with lines TEEDATA-ID FROM CRC BASE64
 * and TEECALL again, or not at all while the command runs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "tvm.h"

#define CHUNK (1 << 18)
/* Output beyond this is passed on, but cannot be asked for again. */
#define KEPT (32u << 20)
/* A command that an interrupt does not end in this time is killed. */
#define GRACE_MS 1000
#define LONGEST_BODY (64u << 20)
/*
 * Output is left in the pipe for this long, so that the command runs on
 * undisturbed and what it says goes to the harness in one piece with its end.
 */
#define GATHER_NS 1500000

static struct {
	int port;
	struct bytes input;
	size_t taken;
	struct request request;
	bool running;
	bool gathering;
	struct shell shell;
	struct bytes output;
	bool all_kept;
	/* The line in front of the output, until it is sent with some of it. */
	char head[32];
	uint64_t said;
	uint32_t crc;
	int status;
	int64_t kill_at;
} agent;

static void on_child(int number)
{
	(void)number;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** Send bytes of the output, with the lines around them, in one piece. */
static void send_output(const char *data, size_t length, bool last)
{
	char tail[LINE_SIZE];
	struct iovec parts[] = {
		{ agent.head, strlen(agent.head) },
		{ (char *)data, length },
		{ tail, 0 },
	};

	if (last)
		parts[2].iov_len = snprintf(
			tail, sizeof(tail), "\nTEECALL-%s %d %llu %08x\n",
			agent.request.id, agent.status,
			(unsigned long long)agent.said, agent.crc);
	put_parts(agent.port, parts, 3);
	agent.head[0] = 0;
}

static void say_end(void)
{
	send_output(NULL, 0, true);
}

/** Take a piece of what the command has said, and keep it. */
static size_t take_output(char **piece)
{
	char *place = bytes_room(&agent.output, CHUNK);
	ssize_t size = place ? read(agent.shell.output, place, CHUNK) : 0;

	*piece = place;
	if (size <= 0)
		return 0;
	/* What a program in the background says belongs to no command. */
	if (!agent.running)
		return size;
	agent.said += size;
	agent.crc = crc32_more(agent.crc, place, size);
	agent.all_kept = agent.all_kept && agent.output.length + size <= KEPT;
	if (agent.all_kept)
		agent.output.length += size;
	return size;
}

/** Pass on what there is; go on gathering while there is something. */
static void pass_output(void)
{
	char *piece;
	size_t size = take_output(&piece);

	if (size || agent.head[0])
		send_output(piece, size, false);
	agent.gathering = size > 0;
}

static void ended(int status)
{
	size_t size = 0;
	char *piece = NULL;
	int left = 0;

	agent.status = status;
	/* As much as there is now: a program in the background may go on. */
	ioctl(agent.shell.output, FIONREAD, &left);
	for (; left > 0; left -= size) {
		size = take_output(&piece);
		if (!size)
			break;
		if (left > (int)size)
			send_output(piece, size, false);
	}
	send_output(piece, left <= 0 ? size : 0, true);
	agent.running = false;
	agent.gathering = false;
	agent.kill_at = 0;
}

static void look_at_shell(void)
{
	int status;

	if (direct_ended(&agent.shell, &status) && agent.running)
		ended(status);
	if (shell_finished(&agent.shell, &status) && agent.running)
		ended(status);
	if (!shell_ended(&agent.shell, &status))
		return;
	if (agent.running)
		ended(status);
	shell_close(&agent.shell);
	shell_open(&agent.shell);
}

static void begin(void)
{
	struct request *request = &agent.request;

	if (crc32_more(0, request->body, request->length) != request->crc) {
		put_line(agent.port, "TEENAK-%s\n", request->id);
		request->id[0] = 0;
		return;
	}
	agent.running = true;
	agent.said = 0;
	agent.crc = 0;
	agent.all_kept = true;
	agent.output.length = 0;
	agent.gathering = true;
	snprintf(agent.head, sizeof(agent.head), "TEEBEGIN-%s\n", request->id);
	shell_run(&agent.shell, request);
}

static void interrupt(void)
{
	if (!agent.running)
		return;
	kill(-shell_group(&agent.shell), SIGINT);
	agent.kill_at = now_ms() + GRACE_MS;
}

static void answer(const char *id, size_t from, size_t to)
{
	if (agent.running || strcmp(id, agent.request.id))
		return;
	if (to > agent.output.length)
		to = agent.output.length;
	put_armoured(agent.port, id, agent.output.data, from, to);
	say_end();
}

/** Take a body once all of it is there. A second time is no second command. */
static bool take_body(const char *id, size_t length, uint32_t crc, size_t line)
{
	struct request *request = &agent.request;

	if (agent.input.length - agent.taken - line < length)
		return false;
	agent.taken += line;
	if (!strcmp(id, request->id)) {
		agent.taken += length;
		if (!agent.running)
			say_end();
		return true;
	}
	memcpy(request->id, id, sizeof(request->id));
	request->body = agent.input.data + agent.taken;
	request->length = length;
	request->crc = crc;
	agent.taken += length;
	begin();
	return true;
}

/** Act on a line; false when it has to wait for what follows it. */
static bool act(const char *line, size_t length)
{
	static const char probe[] = "echo TEE\\READY-";
	char id[ID_SIZE + 1] = "";
	size_t from, to;
	uint32_t crc;

	if (!strncmp(line, probe, sizeof(probe) - 1))
		put_line(agent.port, "TEEAGENT-%.40s\n", line + sizeof(probe) - 1);
	else if (sscanf(line, "TEEINT %8s", id) == 1)
		interrupt();
	else if (sscanf(line, "TEEASK %8s %zu %zu", id, &from, &to) == 3)
		answer(id, from, to);
	else if (sscanf(line, "TEERUN %8s %zu %x", id, &to, &crc) == 3 &&
		 to <= LONGEST_BODY) {
		if (agent.running && strcmp(id, agent.request.id))
			return false;
		return take_body(id, to, crc, length);
	}
	agent.taken += length;
	return true;
}

/** Take the requests that are complete off the input. */
static void take_requests(void)
{
	char *start, *end, line[LINE_SIZE];
	size_t length;

	while (agent.taken < agent.input.length) {
		start = agent.input.data + agent.taken;
		end = memchr(start, '\n', agent.input.length - agent.taken);
		if (!end)
			break;
		length = end - start;
		snprintf(line, sizeof(line), "%.*s",
			 (int)(length < LINE_SIZE ? length : LINE_SIZE - 1),
			 start);
		if (!act(line, length + 1))
			break;
	}
	agent.input.length -= agent.taken;
	memmove(agent.input.data, agent.input.data + agent.taken,
		agent.input.length);
	agent.taken = 0;
}

static void read_requests(void)
{
	char *place = bytes_room(&agent.input, CHUNK);
	ssize_t size = place ? read(agent.port, place, CHUNK) : 0;

	if (size > 0)
		agent.input.length += size;
	else if (!size)
		/* Nobody has the other end open; a pause instead of a spin. */
		usleep(100000);
}

static void look_at_clock(void)
{
	if (agent.kill_at && now_ms() >= agent.kill_at) {
		kill(-shell_group(&agent.shell), SIGKILL);
		agent.kill_at = 0;
	}
}

static void serve(const sigset_t *waiting)
{
	struct pollfd files[] = {
		{ .fd = agent.port, .events = POLLIN },
		{ .fd = agent.shell.status, .events = POLLIN },
		{ .fd = agent.shell.output, .events = POLLIN },
	};
	const struct timespec gather = { .tv_nsec = GATHER_NS };
	const struct timespec grace = { .tv_nsec = 100000000 };
	const struct timespec *limit = agent.kill_at ? &grace : NULL;
	int ready;

	/* Without the signal's handler a shell that ends would not wake this. */
	ready = ppoll(files, agent.gathering ? 2 : 3,
		      agent.gathering ? &gather : limit, waiting);
	if (files[0].revents)
		read_requests();
	if (files[1].revents || ready < 0)
		look_at_shell();
	if (!ready && agent.gathering)
		pass_output();
	else if (!agent.gathering && files[2].revents)
		agent.gathering = true;
	look_at_clock();
	take_requests();
}

/** Undo for a command that the init script has the agent stay on one hart. */
void go_to_any_hart(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

/** Let every byte through as it is: no echo, no line editing, no signals. */
static void make_raw(int fd)
{
	struct termios mode;

	if (tcgetattr(fd, &mode))
		return;
	cfmakeraw(&mode);
	tcsetattr(fd, TCSANOW, &mode);
}

/**
 * Wait until somebody writes a line to a FIFO, such as the first process when
 * what the commands need is there. Whoever cannot wait serves at once.
 */
static void wait_for_line(const char *fifo)
{
	int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	char line;

	if (fd < 0 || read(fd, &line, 1) < 0)
		perror(fifo);
	if (fd >= 0)
		close(fd);
}

/**
 * Serve the harness for good.
 *
 * Return: STATUS_USAGE where the device cannot be opened.
 */
enum status verb_agent(struct args *args)
{
	const char *device = args_more(args) ? args_word(args, "DEVICE") : NULL;
	const char *after = NULL;
	struct sigaction child = { .sa_handler = on_child };
	sigset_t blocked, waiting;

	while (args_more(args)) {
		if (strcmp(args_word(args, "option"), "--after"))
			usage_error("agent takes DEVICE and --after FIFO");
		after = args_word(args, "FIFO");
	}
	/* A write that does not block need not wait until the harness has it. */
	agent.port = device ? open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK) :
			      fcntl(0, F_DUPFD_CLOEXEC, 20);
	if (agent.port < 0) {
		perror(device ? device : "standard input");
		return STATUS_USAGE;
	}
	make_raw(agent.port);
	/* The harness may be gone and come back: no signal ends the agent. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	shell_open(&agent.shell);
	if (after)
		wait_for_line(after);
	for (;;)
		serve(&waiting);
}
