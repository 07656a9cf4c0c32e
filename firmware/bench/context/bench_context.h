/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_CONTEXT_H
#define BENCH_CONTEXT_H

/* An extension for the benchmark alone, from the range kept for firmware */
#define BENCH_EID		0x0a42454e
#define BENCH_CONTEXT_ENTER	0
#define BENCH_CONTEXT_EXIT	1

#endif
