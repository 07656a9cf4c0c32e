"""Numbers of the ABI. Generated from firmware/abi/cove.yaml by firmware/abi/generate.py; do not edit."""

from __future__ import annotations

from enum import IntEnum

ABI_VERSION = 1


class Error(IntEnum):
    """SBI and CoVE error codes (a0)."""

    SUCCESS = 0  # done
    FAILED = -1  # unknown reason
    NOT_SUPPORTED = -2  # no such extension, function or feature
    INVALID_PARAM = -3  # an argument that is not an address is wrong
    DENIED = -4  # not allowed to this caller
    INVALID_ADDRESS = -5  # an address is wrong, misaligned or not the caller's
    ALREADY_AVAILABLE = -6  # exists already
    ALREADY_STARTED = -7  # a fence is in progress
    ALREADY_STOPPED = -8  # stopped already
    NO_SHMEM = -9  # no shared memory registered
    INVALID_STATE = -10  # not in this state (SBI 3.0)
    BUSY = -1001  # try again
    AUTH = -1002  # authentication failed
    OUT_OF_PTPAGES = -1003  # no page-table page left; add_tvm_page_table_pages
    OUT_OF_MEMORY = -1004  # the callee has no memory left
    OUT_OF_RANGES = -1005  # isolation hardware has no entry left for another range


class Eid(IntEnum):
    """SBI extension ids (a7)."""

    BASE = 16
    LEGACY_PUTCHAR = 1
    DBCN = 0x4442434e
    SRST = 0x53525354
    TIME = 0x54494d45
    IPI = 0x735049
    RFENCE = 0x52464e43
    HSM = 0x48534d
    PMU = 0x504d55
    SUPD = 0x53555044
    NACL = 0x4e41434c
    COVH = 0x434f5648
    COVI = 0x434f5649
    COVG = 0x434f5647
    TSMD = 0xa54534d


class Base(IntEnum):
    """Functions of BASE (a6)."""

    GET_SPEC_VERSION = 0
    GET_IMPL_ID = 1
    GET_IMPL_VERSION = 2
    PROBE_EXTENSION = 3
    GET_MVENDORID = 4
    GET_MARCHID = 5
    GET_MIMPID = 6


class Dbcn(IntEnum):
    """Functions of DBCN (a6)."""

    CONSOLE_WRITE = 0
    CONSOLE_READ = 1
    CONSOLE_WRITE_BYTE = 2


class Srst(IntEnum):
    """Functions of SRST (a6)."""

    SYSTEM_RESET = 0


class Time(IntEnum):
    """Functions of TIME (a6)."""

    SET_TIMER = 0


class Ipi(IntEnum):
    """Functions of IPI (a6)."""

    SEND_IPI = 0


class Rfence(IntEnum):
    """Functions of RFENCE (a6)."""

    REMOTE_FENCE_I = 0
    REMOTE_SFENCE_VMA = 1
    REMOTE_SFENCE_VMA_ASID = 2


class Hsm(IntEnum):
    """Functions of HSM (a6)."""

    HART_START = 0
    HART_STOP = 1
    HART_GET_STATUS = 2
    HART_SUSPEND = 3


class Pmu(IntEnum):
    """Functions of PMU (a6)."""

    NUM_COUNTERS = 0


class Supd(IntEnum):
    """Functions of SUPD (a6)."""

    GET_ACTIVE_DOMAINS = 0


class Nacl(IntEnum):
    """Functions of NACL (a6)."""

    PROBE_FEATURE = 0
    SET_SHMEM = 1


class Covh(IntEnum):
    """Functions of COVH (a6)."""

    GET_TSM_INFO = 0
    CONVERT_PAGES = 1
    RECLAIM_PAGES = 2
    GLOBAL_FENCE = 3
    LOCAL_FENCE = 4
    CREATE_TVM = 5
    FINALIZE_TVM = 6
    PROMOTE_TO_TVM = 7
    DESTROY_TVM = 8
    ADD_TVM_MEMORY_REGION = 9
    ADD_TVM_PAGE_TABLE_PAGES = 10
    ADD_TVM_MEASURED_PAGES = 11
    ADD_TVM_ZERO_PAGES = 12
    ADD_TVM_SHARED_PAGES = 13
    CREATE_TVM_VCPU = 14
    RUN_TVM_VCPU = 15
    TVM_FENCE = 16
    TVM_INVALIDATE_PAGES = 17
    TVM_VALIDATE_PAGES = 18
    TVM_REMOVE_PAGES = 19
    PROMOTE_PAGE = 1088
    DEMOTE_PAGE = 1089


class Covi(IntEnum):
    """Functions of COVI (a6)."""

    INIT_TVM_AIA = 0
    SET_TVM_AIA_CPU_IMSIC_ADDR = 1
    CONVERT_AIA_IMSIC = 2
    RECLAIM_TVM_AIA_IMSIC = 3
    BIND_AIA_IMSIC = 4
    UNBIND_AIA_IMSIC_BEGIN = 5
    UNBIND_AIA_IMSIC_END = 6
    INJECT_TVM_CPU = 7
    REBIND_AIA_IMSIC_BEGIN = 8
    REBIND_AIA_IMSIC_CLONE = 9
    REBIND_AIA_IMSIC_END = 10


class Covg(IntEnum):
    """Functions of COVG (a6)."""

    ADD_MMIO_REGION = 0
    REMOVE_MMIO_REGION = 1
    SHARE_MEMORY_REGION = 2
    UNSHARE_MEMORY_REGION = 3
    ALLOW_EXTERNAL_INTERRUPT = 4
    DENY_EXTERNAL_INTERRUPT = 5
    GET_ATTCAPS = 6
    EXTEND_MEASUREMENT = 7
    GET_EVIDENCE = 8
    RETRIEVE_SECRET = 9
    READ_MEASUREMENT = 10


class Tsmd(IntEnum):
    """Functions of TSMD (a6)."""

    READY = 0
    RET = 1
    RET_INTERRUPTED = 2
    ASSIGN = 3
    RELEASE = 4
    INFO = 5
    PANIC = 6


class Event(IntEnum):
    """Kinds of crossing events."""

    NONE = 0  # unused slot
    TEECALL = 1  # M-mode: host call handed to the TSM; eid, fid, aux = host pc
    TEERET = 2  # M-mode: TSM answered; eid and fid of the call, error, value, aux = scause if flagged
    TEERET_INTERRUPTED = 3  # M-mode: TSM gave the hart back before it was done
    TEERESUME = 4  # M-mode: interrupted call handed to the TSM again
    ASSIGN = 5  # M-mode: memory made confidential; value = base, aux = pages, error
    RELEASE = 6  # M-mode: memory given back to the host; value = base, aux = pages, error
    PMP_UPDATE = 7  # M-mode: this hart loaded a new isolation image; value = generation
    TSM_BOOT = 8  # M-mode: the TSM was entered to initialise
    TSM_READY = 9  # M-mode: the TSM is ready; value = entry address
    TSM_FAULT = 10  # M-mode: the TSM trapped; value = mcause, aux = mepc, error = mtval
    TSM_PANIC = 11  # M-mode: the TSM gave up; value = message address
    TSM_HANG = 12  # M-mode: the TSM kept the hart while an interrupt that the host has enabled waited, for longer than watchdog-ms; value = mcause of the look, aux = mepc
    GUEST_ENTER = 16  # TSM: sret into the TVM; value = sepc, aux = tvm << 32 | vcpu
    GUEST_EXIT = 17  # TSM: trap from the TVM; error = scause, value = sepc, aux = tvm << 32 | vcpu, eid and fid of an ecall
    GUEST_FENCE = 18  # TSM: hfence.gvma/vvma; value = vmid, aux = reason


class PageState(IntEnum):
    """States of a page of the confidential pool."""

    HOST = 0  # the host's: not confidential
    CONVERTING = 1  # given up by the host; stale host translations may exist until fenced
    UNASSIGNED = 2  # confidential, nobody's
    TVM_STATE = 3  # TSM's book-keeping for a TVM (directory, TVM object)
    TVM_PT = 4  # G-stage page table, in use or in the TVM's free list
    TVM_VCPU = 5  # vCPU state
    TVM_DATA = 6  # mapped into a TVM


FUNCTIONS: dict[Eid, type[IntEnum]] = {
    Eid.BASE: Base,
    Eid.DBCN: Dbcn,
    Eid.SRST: Srst,
    Eid.TIME: Time,
    Eid.IPI: Ipi,
    Eid.RFENCE: Rfence,
    Eid.HSM: Hsm,
    Eid.PMU: Pmu,
    Eid.SUPD: Supd,
    Eid.NACL: Nacl,
    Eid.COVH: Covh,
    Eid.COVI: Covi,
    Eid.COVG: Covg,
    Eid.TSMD: Tsmd,
}

A6_FID_MASK = 0xffff
A6_SDID_SHIFT = 26
A6_SDID_MASK = 63

TSM_STATE_NOT_LOADED = 0
TSM_STATE_LOADED = 1
TSM_STATE_READY = 2
TSM_IMPL_ID = 0x80000001
TSM_CAP_PROMOTE_TVM = 1
TSM_CAP_ATTESTATION_LOCAL = 2
TSM_CAP_ATTESTATION_REMOTE = 4
TSM_CAP_AIA = 8
TSM_CAP_MRIF = 16
TSM_CAP_MEMORY_ALLOCATION = 32
TVM_STATE_INITIALIZING = 0
TVM_STATE_RUNNABLE = 1
TVM_PAGE_4K = 0
TVM_PAGE_2M = 1
TVM_PAGE_1G = 2
TVM_PAGE_512G = 3
MEASUREMENT_TVM_PAGES = 4
MEASUREMENT_TVM_ENTRY = 5
MEASUREMENT_DIGEST_SIZE = 48
MEASUREMENT_INITIAL = 6
MEASUREMENT_RUNTIME = 4
ATTEST_TCB_SVN = 1
ATTEST_HASH_SHA384 = 0
ATTEST_FORMAT_CBOR = 1
ATTEST_FORMAT_X509 = 2
ATTEST_CHALLENGE_SIZE = 64
ATTEST_MAX_KEY = 1024
ATTEST_MAX_EVIDENCE = 0x1000
ATTEST_HANDOVER_MAGIC = 0x4543494454
ATTEST_HANDOVER_TOKEN = 640
CLAIM_ALG_ES384 = -35
CLAIM_ISS = 1
CLAIM_SUB = 2
CLAIM_NONCE = 10
CLAIM_PROFILE = 265
CLAIM_SUBMODS = 266
CLAIM_PLATFORM_KEY = -0x11170
CLAIM_MANUFACTURER = -0x11171
CLAIM_STATE = -0x11172
CLAIM_COMPONENTS = -0x11173
CLAIM_TSM_KEY = -0x11174
CLAIM_TVM_KEY = -0x11175
CLAIM_INITIAL = -0x11176
CLAIM_RUNTIME = -0x11177
CLAIM_IDENTITY = -0x11178
CLAIM_EVIDENCE = -0x11179
NACL_SHMEM_SIZE = 0x3000
NACL_GPRS_OFFSET = 0
NACL_CSRS_OFFSET = 0x1000
MAX_HARTS = 8
MAX_RAM_RANGES = 8
MAX_TSM_DOMAINS = 2
NACL_CONSOLE_OFFSET = 256
NACL_CONSOLE_SIZE = 256
HSM_STARTED = 0
HSM_STOPPED = 1
HSM_SUSPENDED = 4
MAX_INTERRUPT_ID = 2047
TEECALL_RESUME = 1
RET_CAUSE_VALID = 1
FAULT_FID = 0xff00
FAULT_NULL = 0
FAULT_ILLEGAL = 1
FAULT_JUMP = 2
FAULT_STACK = 3
FAULT_LOOP = 4
FAULT_MISALIGNED = 5
FAULT_PANIC = 6
FAULT_LOAD = 7
FAULT_STORE = 8
INFO_RANGES_USED = 0
INFO_RANGES_FREE = 1
INFO_HARTS_RUNNING = 2
BOOT_INFO_MAGIC = 0x4f464e494d5354
RING_MAGIC = 0x474e495245455420
LOG_MAGIC = 0x474f4c4d535420
STATS_MAGIC = 0x5441545354
