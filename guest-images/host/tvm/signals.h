/* SPDX-License-Identifier: BSD-2-Clause */
/* signals.c: a signal or the time limit ends whatever goes on */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

void stop_signals_install(uint64_t timeout_s);
void stop_signals_mark(volatile uint8_t *mark);
bool stop_requested(void);
const char *stop_reason(void);
bool finish_requested(void);

#endif
