#
# SPDX-License-Identifier: BSD-2-Clause
#
# Placed in lib/sbi/tsmd/ instead of the TSM-driver, to measure what OpenSBI's
# own switch between domains costs.
#

carray-sbi_ecall_exts-y += ecall_bench_context
libsbi-objs-y += tsmd/bench_context.o
