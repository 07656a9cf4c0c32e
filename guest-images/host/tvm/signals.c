// SPDX-License-Identifier: BSD-2-Clause
/* How a run is ended from outside. */
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

#include "signals.h"

static volatile sig_atomic_t stop_signal;
static volatile sig_atomic_t finish_signal;
static volatile uint8_t *stop_mark;

static void on_signal(int number)
{
	stop_signal = number;
	if (stop_mark)
		*stop_mark = 1;
}

static void on_finish(int number)
{
	finish_signal = number;
}

/**
 * From here on SIGINT, SIGTERM, SIGHUP and the time limit end the work in
 * order; SIGUSR1 only asks the guest to end.
 */
void stop_signals_install(uint64_t timeout_s)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction finish = { .sa_handler = on_finish };
	struct itimerval timer = { .it_value.tv_sec = timeout_s };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	sigemptyset(&finish.sa_mask);
	sigaction(SIGUSR1, &finish, NULL);
	if (timeout_s)
		setitimer(ITIMER_REAL, &timer, NULL);
}

/**
 * Let a signal that ends the work also set a byte.
 *
 * A system call that looks at the byte cannot miss a signal that comes just
 * before it.
 */
void stop_signals_mark(volatile uint8_t *mark)
{
	stop_mark = mark;
	if (stop_signal && mark)
		*mark = 1;
}

bool stop_requested(void)
{
	return stop_signal != 0;
}

const char *stop_reason(void)
{
	return stop_signal == SIGALRM ? "--timeout" : "a signal";
}

/** SIGUSR1 has come: console calls answer with the value 1 from now on. */
bool finish_requested(void)
{
	return finish_signal != 0;
}
