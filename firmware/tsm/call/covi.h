/* SPDX-License-Identifier: BSD-2-Clause */
/* COVI: the calls of the host that are about interrupt files (cove.md 2.7). */
#ifndef TSM_COVI_H
#define TSM_COVI_H

#include "call/call.h"

struct answer covi_init_tvm_aia(const u64 *args);
struct answer covi_set_tvm_aia_cpu_imsic_addr(const u64 *args);
struct answer covi_convert_aia_imsic(const u64 *args);
struct answer covi_reclaim_tvm_aia_imsic(const u64 *args);
struct answer covi_bind_aia_imsic(const u64 *args);
struct answer covi_unbind_aia_imsic_begin(const u64 *args);
struct answer covi_unbind_aia_imsic_end(const u64 *args);
struct answer covi_inject_tvm_cpu(const u64 *args);
struct answer covi_rebind_aia_imsic_begin(const u64 *args);
struct answer covi_rebind_aia_imsic_clone(const u64 *args);
struct answer covi_rebind_aia_imsic_end(const u64 *args);

#endif
