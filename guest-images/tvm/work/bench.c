// SPDX-License-Identifier: BSD-2-Clause
/*
 * Workloads of fixed size, each of one kind. The time is CSR time: where an
 * instruction takes a fixed time (-icount), that is a count of instructions.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

#define LIST_LENGTH	512
#define LIST_ROUNDS	1800
#define MATRIX		24
#define MATRIX_ROUNDS	120
#define STREAM_WORDS	(1UL << 19)
#define STREAM_ROUNDS	4
#define FAULT_PAGES	1024UL
#define FAULT_ROUNDS	6
#define TOUCH_PAGES	(48UL << 20 >> 12)
#define SYSCALLS	40000
#define SWITCHES	3000
#define PAGE		4096UL

static volatile uint64_t sink;

/* As CoreMark: a list that is walked and turned, a matrix, a state machine */
static uint64_t walk_list(uint64_t x)
{
	static struct node { struct node *next; uint64_t value; } nodes[LIST_LENGTH];
	struct node *head = NULL, *turned = NULL;

	for (int i = 0; i < LIST_LENGTH; i++) {
		nodes[i] = (struct node){ head, x = next_random(x) };
		head = &nodes[i];
	}
	while (head) {
		struct node *next = head->next;

		head->next = turned;
		turned = head;
		head = next;
		x += turned->value & 0xff;
	}
	return x;
}

static uint64_t multiply(uint64_t x)
{
	static int32_t a[MATRIX][MATRIX], b[MATRIX][MATRIX];
	uint64_t sum = 0;

	for (int i = 0; i < MATRIX; i++)
		for (int j = 0; j < MATRIX; j++) {
			a[i][j] = x = next_random(x);
			b[i][j] = x >> 32;
		}
	for (int i = 0; i < MATRIX; i++)
		for (int j = 0; j < MATRIX; j++)
			for (int k = 0; k < MATRIX; k++)
				sum += (int64_t)a[i][k] * b[k][j];
	return sum;
}

static uint64_t count_words(uint64_t x)
{
	uint64_t counts[4] = {};
	int state = 0;

	for (int i = 0; i < 4096; i++) {
		x = next_random(x);
		switch (x & 7) {
		case 0:
			state = 0;
			break;
		case 1:
			state = 3 - state;
			break;
		default:
			state = state ? 1 + (x >> 3 & 1) : 1;
		}
		counts[state]++;
	}
	return counts[0] ^ counts[1] << 16 ^ counts[2] << 32 ^ counts[3] << 48;
}

static void integer(void)
{
	uint64_t x = 1;

	for (int i = 0; i < LIST_ROUNDS; i++)
		x += walk_list(x | 1);
	for (int i = 0; i < MATRIX_ROUNDS; i++)
		x += multiply(x | 1) + count_words(x | 1);
	sink = x;
}

static void *map(uint64_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

/* As STREAM: copy, scale, add; the pages are there before it begins. */
static uint64_t *streams[3];

static void prepare_memory(void)
{
	for (int i = 0; i < 3; i++) {
		streams[i] = map(STREAM_WORDS * 8);
		memset(streams[i], i + 1, STREAM_WORDS * 8);
	}
}

static void memory(void)
{
	for (int round = 0; round < STREAM_ROUNDS; round++) {
		memcpy(streams[0], streams[1], STREAM_WORDS * 8);
		for (size_t i = 0; i < STREAM_WORDS; i++)
			streams[2][i] = 3 * streams[0][i];
		for (size_t i = 0; i < STREAM_WORDS; i++)
			streams[1][i] = streams[0][i] + streams[2][i];
	}
	sink = streams[1][STREAM_WORDS - 1];
}

static void fault(void)
{
	for (int round = 0; round < FAULT_ROUNDS; round++) {
		volatile uint8_t *pages = map(FAULT_PAGES * PAGE);

		for (size_t i = 0; i < FAULT_PAGES; i++)
			pages[i * PAGE] = 1;
		munmap((void *)pages, FAULT_PAGES * PAGE);
	}
}

/* Memory that the guest has not used before, as far as it has such. */
static void touch(void)
{
	volatile uint8_t *pages = map(TOUCH_PAGES * PAGE);

	for (size_t i = 0; i < TOUCH_PAGES; i++)
		pages[i * PAGE] = 1;
}

static void system_calls(void)
{
	for (int i = 0; i < SYSCALLS; i++)
		syscall(SYS_getppid);
}

/* A byte to another process and back: two switches each time */
static void context_switch(void)
{
	int there[2], back[2];
	char byte = 0;
	pid_t child;

	if (pipe(there) || pipe(back))
		fail("pipe");
	child = fork();
	if (child < 0)
		fail("fork");
	for (int i = 0; i < SWITCHES; i++)
		if (child ? write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1 :
			    read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
			fail("a pipe broke");
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
}

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
} workloads[] = {
	{ "integer", NULL, integer },
	{ "memory", prepare_memory, memory },
	{ "fault", NULL, fault },
	{ "touch", NULL, touch },
	{ "syscall", NULL, system_calls },
	{ "switch", NULL, context_switch },
	{ "disk", prepare_disk, read_disk },
};

static int one(const char *name)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		uint64_t start;

		if (strcmp(workloads[i].name, name))
			continue;
		if (workloads[i].prepare)
			workloads[i].prepare();
		start = ticks();
		workloads[i].run();
		say("bench: %s %" PRIu64 "\n", name, ticks() - start);
		return 0;
	}
	say("bench: there is no %s\n", name);
	return 2;
}

int bench(int count, char **words)
{
	int status = 0;

	for (int i = 0; i < count && !status; i++)
		status = one(words[i]);
	say("bench: done\n");
	return status;
}
