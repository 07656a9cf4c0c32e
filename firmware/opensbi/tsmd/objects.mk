#
# SPDX-License-Identifier: BSD-2-Clause
#
# TSM-driver: supervisor domain switch for CoVE deployment model 1.
# OpenSBI finds this file by itself when the folder is lib/sbi/tsmd/; no
# upstream line changes. The --wrap options put the driver in front of
# functions whose callers all live in other objects.
#

carray-sbi_ecall_exts-y += ecall_tsmd_cove
carray-sbi_ecall_exts-y += ecall_tsmd_supd
carray-sbi_ecall_exts-y += ecall_tsmd_nacl

libsbi-objs-y += tsmd/tsmd_boot.o
libsbi-objs-y += tsmd/tsmd_call.o
libsbi-objs-y += tsmd/tsmd_domain.o
libsbi-objs-y += tsmd/tsmd_ecall.o
libsbi-objs-y += tsmd/tsmd_enter.o
libsbi-objs-y += tsmd/tsmd_fast.o
libsbi-objs-y += tsmd/tsmd_fdt.o
libsbi-objs-y += tsmd/tsmd_guard.o
libsbi-objs-y += tsmd/tsmd_imsic.o
libsbi-objs-y += tsmd/tsmd_memory.o
libsbi-objs-y += tsmd/tsmd_pmp.o
libsbi-objs-y += tsmd/tsmd_ranges.o
libsbi-objs-y += tsmd/tsmd_record.o
libsbi-objs-y += tsmd/tsmd_sse.o
libsbi-objs-y += tsmd/tsmd_switch.o
libsbi-objs-y += tsmd/tsmd_trap.o
libsbi-objs-y += tsmd/tsmd_vector.o
libsbi-objs-y += tsmd/tsmd_watchdog.o

firmware-ldflags-y += -Wl,--wrap=sbi_trap_handler
firmware-ldflags-y += -Wl,--wrap=sbi_hart_switch_mode
firmware-ldflags-y += -Wl,--wrap=sbi_domain_check_addr
firmware-ldflags-y += -Wl,--wrap=sbi_domain_check_addr_range
firmware-ldflags-y += -Wl,--wrap=sbi_dbtr_get_total_triggers
firmware-ldflags-y += -Wl,--wrap=sbi_mpxy_set_shmem
firmware-ldflags-y += -Wl,--wrap=sbi_sse_register
