/* SPDX-License-Identifier: BSD-2-Clause */
/* Generated from firmware/abi/cove.yaml by firmware/abi/generate.py; do not edit. */
#ifndef TEECALL_COVE_H
#define TEECALL_COVE_H

#define TEECALL_ABI_VERSION                          1

/* Error codes in a0 */
#define COVE_SUCCESS                                 0
#define COVE_ERR_FAILED                              (-1)
#define COVE_ERR_NOT_SUPPORTED                       (-2)
#define COVE_ERR_INVALID_PARAM                       (-3)
#define COVE_ERR_DENIED                              (-4)
#define COVE_ERR_INVALID_ADDRESS                     (-5)
#define COVE_ERR_ALREADY_AVAILABLE                   (-6)
#define COVE_ERR_ALREADY_STARTED                     (-7)
#define COVE_ERR_ALREADY_STOPPED                     (-8)
#define COVE_ERR_NO_SHMEM                            (-9)
#define COVE_ERR_INVALID_STATE                       (-10)
#define COVE_ERR_BUSY                                (-1001)
#define COVE_ERR_AUTH                                (-1002)
#define COVE_ERR_OUT_OF_PTPAGES                      (-1003)
#define COVE_ERR_OUT_OF_MEMORY                       (-1004)
#define COVE_ERR_OUT_OF_RANGES                       (-1005)

/* Extensions (a7) and functions (a6) */
#define COVE_EID_BASE                                16
#define COVE_BASE_GET_SPEC_VERSION                   0
#define COVE_BASE_GET_IMPL_ID                        1
#define COVE_BASE_GET_IMPL_VERSION                   2
#define COVE_BASE_PROBE_EXTENSION                    3
#define COVE_BASE_GET_MVENDORID                      4
#define COVE_BASE_GET_MARCHID                        5
#define COVE_BASE_GET_MIMPID                         6
#define COVE_EID_LEGACY_PUTCHAR                      1
#define COVE_EID_DBCN                                0x4442434e
#define COVE_DBCN_CONSOLE_WRITE                      0
#define COVE_DBCN_CONSOLE_READ                       1
#define COVE_DBCN_CONSOLE_WRITE_BYTE                 2
#define COVE_EID_SRST                                0x53525354
#define COVE_SRST_SYSTEM_RESET                       0
#define COVE_EID_TIME                                0x54494d45
#define COVE_TIME_SET_TIMER                          0
#define COVE_EID_IPI                                 0x735049
#define COVE_IPI_SEND_IPI                            0
#define COVE_EID_RFENCE                              0x52464e43
#define COVE_RFENCE_REMOTE_FENCE_I                   0
#define COVE_RFENCE_REMOTE_SFENCE_VMA                1
#define COVE_RFENCE_REMOTE_SFENCE_VMA_ASID           2
#define COVE_EID_HSM                                 0x48534d
#define COVE_HSM_HART_START                          0
#define COVE_HSM_HART_STOP                           1
#define COVE_HSM_HART_GET_STATUS                     2
#define COVE_HSM_HART_SUSPEND                        3
#define COVE_EID_PMU                                 0x504d55
#define COVE_PMU_NUM_COUNTERS                        0
#define COVE_EID_SUPD                                0x53555044
#define COVE_SUPD_GET_ACTIVE_DOMAINS                 0
#define COVE_EID_NACL                                0x4e41434c
#define COVE_NACL_PROBE_FEATURE                      0
#define COVE_NACL_SET_SHMEM                          1
#define COVE_EID_COVH                                0x434f5648
#define COVE_COVH_GET_TSM_INFO                       0
#define COVE_COVH_CONVERT_PAGES                      1
#define COVE_COVH_RECLAIM_PAGES                      2
#define COVE_COVH_GLOBAL_FENCE                       3
#define COVE_COVH_LOCAL_FENCE                        4
#define COVE_COVH_CREATE_TVM                         5
#define COVE_COVH_FINALIZE_TVM                       6
#define COVE_COVH_PROMOTE_TO_TVM                     7
#define COVE_COVH_DESTROY_TVM                        8
#define COVE_COVH_ADD_TVM_MEMORY_REGION              9
#define COVE_COVH_ADD_TVM_PAGE_TABLE_PAGES           10
#define COVE_COVH_ADD_TVM_MEASURED_PAGES             11
#define COVE_COVH_ADD_TVM_ZERO_PAGES                 12
#define COVE_COVH_ADD_TVM_SHARED_PAGES               13
#define COVE_COVH_CREATE_TVM_VCPU                    14
#define COVE_COVH_RUN_TVM_VCPU                       15
#define COVE_COVH_TVM_FENCE                          16
#define COVE_COVH_TVM_INVALIDATE_PAGES               17
#define COVE_COVH_TVM_VALIDATE_PAGES                 18
#define COVE_COVH_TVM_REMOVE_PAGES                   19
#define COVE_COVH_PROMOTE_PAGE                       1088
#define COVE_COVH_DEMOTE_PAGE                        1089
#define COVE_EID_COVI                                0x434f5649
#define COVE_COVI_INIT_TVM_AIA                       0
#define COVE_COVI_SET_TVM_AIA_CPU_IMSIC_ADDR         1
#define COVE_COVI_CONVERT_AIA_IMSIC                  2
#define COVE_COVI_RECLAIM_TVM_AIA_IMSIC              3
#define COVE_COVI_BIND_AIA_IMSIC                     4
#define COVE_COVI_UNBIND_AIA_IMSIC_BEGIN             5
#define COVE_COVI_UNBIND_AIA_IMSIC_END               6
#define COVE_COVI_INJECT_TVM_CPU                     7
#define COVE_COVI_REBIND_AIA_IMSIC_BEGIN             8
#define COVE_COVI_REBIND_AIA_IMSIC_CLONE             9
#define COVE_COVI_REBIND_AIA_IMSIC_END               10
#define COVE_EID_COVG                                0x434f5647
#define COVE_COVG_ADD_MMIO_REGION                    0
#define COVE_COVG_REMOVE_MMIO_REGION                 1
#define COVE_COVG_SHARE_MEMORY_REGION                2
#define COVE_COVG_UNSHARE_MEMORY_REGION              3
#define COVE_COVG_ALLOW_EXTERNAL_INTERRUPT           4
#define COVE_COVG_DENY_EXTERNAL_INTERRUPT            5
#define COVE_COVG_GET_ATTCAPS                        6
#define COVE_COVG_EXTEND_MEASUREMENT                 7
#define COVE_COVG_GET_EVIDENCE                       8
#define COVE_COVG_RETRIEVE_SECRET                    9
#define COVE_COVG_READ_MEASUREMENT                   10
#define COVE_EID_TSMD                                0xa54534d
#define COVE_TSMD_READY                              0
#define COVE_TSMD_RET                                1
#define COVE_TSMD_RET_INTERRUPTED                    2
#define COVE_TSMD_ASSIGN                             3
#define COVE_TSMD_RELEASE                            4
#define COVE_TSMD_INFO                               5
#define COVE_TSMD_PANIC                              6

/* Fields of a6 in COVH and COVI calls */
#define COVE_A6_FID_MASK                             0xffff
#define COVE_A6_SDID_SHIFT                           26
#define COVE_A6_SDID_MASK                            63

/* Constants */
#define COVE_TSM_STATE_NOT_LOADED                    0
#define COVE_TSM_STATE_LOADED                        1
#define COVE_TSM_STATE_READY                         2
#define COVE_TSM_IMPL_ID                             0x80000001UL
#define COVE_TSM_CAP_PROMOTE_TVM                     1
#define COVE_TSM_CAP_ATTESTATION_LOCAL               2
#define COVE_TSM_CAP_ATTESTATION_REMOTE              4
#define COVE_TSM_CAP_AIA                             8
#define COVE_TSM_CAP_MRIF                            16
#define COVE_TSM_CAP_MEMORY_ALLOCATION               32
#define COVE_TVM_STATE_INITIALIZING                  0
#define COVE_TVM_STATE_RUNNABLE                      1
#define COVE_TVM_PAGE_4K                             0
#define COVE_TVM_PAGE_2M                             1
#define COVE_TVM_PAGE_1G                             2
#define COVE_TVM_PAGE_512G                           3
#define COVE_MEASUREMENT_TVM_PAGES                   4
#define COVE_MEASUREMENT_TVM_ENTRY                   5
#define COVE_MEASUREMENT_DIGEST_SIZE                 48
#define COVE_MEASUREMENT_INITIAL                     6
#define COVE_MEASUREMENT_RUNTIME                     4
#define COVE_ATTEST_TCB_SVN                          1
#define COVE_ATTEST_HASH_SHA384                      0
#define COVE_ATTEST_FORMAT_CBOR                      1
#define COVE_ATTEST_FORMAT_X509                      2
#define COVE_ATTEST_CHALLENGE_SIZE                   64
#define COVE_ATTEST_MAX_KEY                          1024
#define COVE_ATTEST_MAX_EVIDENCE                     0x1000
#define COVE_ATTEST_HANDOVER_MAGIC                   0x4543494454UL
#define COVE_ATTEST_HANDOVER_TOKEN                   640
#define COVE_CLAIM_ALG_ES384                         (-35)
#define COVE_CLAIM_ISS                               1
#define COVE_CLAIM_SUB                               2
#define COVE_CLAIM_NONCE                             10
#define COVE_CLAIM_PROFILE                           265
#define COVE_CLAIM_SUBMODS                           266
#define COVE_CLAIM_PLATFORM_KEY                      (-0x11170)
#define COVE_CLAIM_MANUFACTURER                      (-0x11171)
#define COVE_CLAIM_STATE                             (-0x11172)
#define COVE_CLAIM_COMPONENTS                        (-0x11173)
#define COVE_CLAIM_TSM_KEY                           (-0x11174)
#define COVE_CLAIM_TVM_KEY                           (-0x11175)
#define COVE_CLAIM_INITIAL                           (-0x11176)
#define COVE_CLAIM_RUNTIME                           (-0x11177)
#define COVE_CLAIM_IDENTITY                          (-0x11178)
#define COVE_CLAIM_EVIDENCE                          (-0x11179)
#define COVE_NACL_SHMEM_SIZE                         0x3000
#define COVE_NACL_GPRS_OFFSET                        0
#define COVE_NACL_CSRS_OFFSET                        0x1000
#define COVE_MAX_HARTS                               8
#define COVE_MAX_RAM_RANGES                          8
#define COVE_MAX_TSM_DOMAINS                         2
#define COVE_NACL_CONSOLE_OFFSET                     256
#define COVE_NACL_CONSOLE_SIZE                       256
#define COVE_HSM_STARTED                             0
#define COVE_HSM_STOPPED                             1
#define COVE_HSM_SUSPENDED                           4
#define COVE_MAX_INTERRUPT_ID                        2047
#define COVE_TEECALL_RESUME                          1
#define COVE_RET_CAUSE_VALID                         1
#define COVE_FAULT_FID                               0xff00
#define COVE_FAULT_NULL                              0
#define COVE_FAULT_ILLEGAL                           1
#define COVE_FAULT_JUMP                              2
#define COVE_FAULT_STACK                             3
#define COVE_FAULT_LOOP                              4
#define COVE_FAULT_MISALIGNED                        5
#define COVE_FAULT_PANIC                             6
#define COVE_FAULT_LOAD                              7
#define COVE_FAULT_STORE                             8
#define COVE_INFO_RANGES_USED                        0
#define COVE_INFO_RANGES_FREE                        1
#define COVE_INFO_HARTS_RUNNING                      2
#define COVE_BOOT_INFO_MAGIC                         0x4f464e494d5354UL
#define COVE_RING_MAGIC                              0x474e495245455420UL
#define COVE_LOG_MAGIC                               0x474f4c4d535420UL
#define COVE_STATS_MAGIC                             0x5441545354UL

/* Kinds of crossing events */
/* unused slot */
#define TEE_EVENT_NONE                               0
/* M-mode: host call handed to the TSM; eid, fid, aux = host pc */
#define TEE_EVENT_TEECALL                            1
/* M-mode: TSM answered; eid and fid of the call, error, value, aux = scause if flagged */
#define TEE_EVENT_TEERET                             2
/* M-mode: TSM gave the hart back before it was done */
#define TEE_EVENT_TEERET_INTERRUPTED                 3
/* M-mode: interrupted call handed to the TSM again */
#define TEE_EVENT_TEERESUME                          4
/* M-mode: memory made confidential; value = base, aux = pages, error */
#define TEE_EVENT_ASSIGN                             5
/* M-mode: memory given back to the host; value = base, aux = pages, error */
#define TEE_EVENT_RELEASE                            6
/* M-mode: this hart loaded a new isolation image; value = generation */
#define TEE_EVENT_PMP_UPDATE                         7
/* M-mode: the TSM was entered to initialise */
#define TEE_EVENT_TSM_BOOT                           8
/* M-mode: the TSM is ready; value = entry address */
#define TEE_EVENT_TSM_READY                          9
/* M-mode: the TSM trapped; value = mcause, aux = mepc, error = mtval */
#define TEE_EVENT_TSM_FAULT                          10
/* M-mode: the TSM gave up; value = message address */
#define TEE_EVENT_TSM_PANIC                          11
/* M-mode: the TSM kept the hart while an interrupt that the host has enabled waited, for longer than watchdog-ms; value = mcause of the look, aux = mepc */
#define TEE_EVENT_TSM_HANG                           12
/* TSM: sret into the TVM; value = sepc, aux = tvm << 32 | vcpu */
#define TEE_EVENT_GUEST_ENTER                        16
/* TSM: trap from the TVM; error = scause, value = sepc, aux = tvm << 32 | vcpu, eid and fid of an ecall */
#define TEE_EVENT_GUEST_EXIT                         17
/* TSM: hfence.gvma/vvma; value = vmid, aux = reason */
#define TEE_EVENT_GUEST_FENCE                        18

/* Page states */
/* the host's: not confidential */
#define PAGE_HOST                                    0
/* given up by the host; stale host translations may exist until fenced */
#define PAGE_CONVERTING                              1
/* confidential, nobody's */
#define PAGE_UNASSIGNED                              2
/* TSM's book-keeping for a TVM (directory, TVM object) */
#define PAGE_TVM_STATE                               3
/* G-stage page table, in use or in the TVM's free list */
#define PAGE_TVM_PT                                  4
/* vCPU state */
#define PAGE_TVM_VCPU                                5
/* mapped into a TVM */
#define PAGE_TVM_DATA                                6
#define PAGE_STATES                                  7

#endif
