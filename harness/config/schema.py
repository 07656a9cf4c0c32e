# SPDX-License-Identifier: Apache-2.0
"""The configuration as typed, frozen values.

The loader is generic over these classes: a new key is a new field here and a line in
`configs/default.yaml`. The comments beside a key in that file are its documentation.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Address = Annotated[int, Meta(ge=0)]
Source = Annotated[str, Meta(extra={"path": "source"})]
"""`apt:NAME=VERSION`, `path:DIR`, `git:DIR_OR_URL@REV` or `url:URL#sha256=HEX`.

A relative folder is taken from the folder of the file it is written in.
"""
File = Annotated[str, Meta(extra={"path": "file"})]
KernelFile = Annotated[str, Meta(extra={"path": "kernel"})]
"""A file, or a name of `harness.config.kernels`."""


class OpenSbi(Struct, frozen=True, forbid_unknown_fields=True):
    """The M-mode firmware and the domain switch built into it."""

    version: str = "1.6"
    source: Source | None = None
    overlay: Source | None = None
    abi: Source | None = None
    flags: tuple[str, ...] = ()


class Tsm(Struct, frozen=True, forbid_unknown_fields=True):
    """The TEE security manager."""

    source: Source | None = None
    abi: Source | None = None
    elf: File | None = None
    flags: tuple[str, ...] = ()
    watchdog_ms: Annotated[int, Meta(ge=0, le=600_000)] = 2000
    domains: Annotated[int, Meta(ge=1, le=2)] = 1
    second_elf: File | None = None


class Host(Struct, frozen=True, forbid_unknown_fields=True):
    """The host kernel and its user space."""

    source: Source | None = None
    files: Source | None = None
    kernel: KernelFile | None = None
    initrd: File | None = None
    cmdline: str = ""


class Busybox(Struct, frozen=True, forbid_unknown_fields=True):
    """The host's shell and tools."""

    source: Source | None = None


class MbedTls(Struct, frozen=True, forbid_unknown_fields=True):
    """The hash library of the TSM."""

    source: Source | None = None


class Tvm(Struct, frozen=True, forbid_unknown_fields=True):
    """The guest that runs as a TVM."""

    source: Source | None = None
    payload: File | None = None
    kernel: KernelFile | None = None
    initrd: File | None = None
    memory_mib: Annotated[int, Meta(ge=32, multiple_of=2)] = 128
    flags: tuple[str, ...] = ()


class Qemu(Struct, frozen=True, forbid_unknown_fields=True):
    """The emulator."""

    binary: str = "qemu-system-riscv64"
    extra_args: tuple[str, ...] = ()


class Machine(Struct, frozen=True, forbid_unknown_fields=True):
    """The emulated machine."""

    harts: Annotated[int, Meta(ge=1, le=8)] = 2
    memory_mib: Annotated[int, Meta(ge=512)] = 1024
    cpu: str = "rv64"
    aia: Literal["none", "aplic", "aplic-imsic"] = "none"
    aia_guests: Annotated[int, Meta(ge=0, le=7)] = 0


class Memory(Struct, frozen=True, forbid_unknown_fields=True):
    """Where TSMs and confidential pools live (physical addresses, sizes in bytes)."""

    tsm_base: Address = 0x8F000000
    tsm_size: Positive = 16 << 20
    pool_base: Address = 0x90000000
    pool_size: Positive = 256 << 20
    tsm2_base: Address = 0x8E000000
    pool2_base: Address = 0xB0000000
    pool2_size: Positive = 128 << 20


class Console(Struct, frozen=True, forbid_unknown_fields=True):
    """How commands reach the host's shell."""

    mode: Literal["port", "serial"] = "port"


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Time given to each step, in seconds."""

    boot_s: Seconds = 60.0
    command_s: Seconds = 30.0
    guest_s: Seconds = 60.0
    stall_s: Seconds = 20.0
    poweroff_s: Seconds = 15.0


class Build(Struct, frozen=True, forbid_unknown_fields=True):
    """How components are built."""

    jobs: Annotated[int, Meta(ge=0)] = 0
    cross_compile: str = "riscv64-linux-gnu-"


class Sweep(Struct, frozen=True, forbid_unknown_fields=True):
    """How fine `teecall run interrupt-sweep` is."""

    step: Positive = 89


class Conformance(Struct, frozen=True, forbid_unknown_fields=True):
    """What `teecall run conformance` asks the TSM, and what it expects of it."""

    capabilities: File | None = None
    script: File | None = None
    calls: Positive = 20000
    seed: Annotated[int, Meta(ge=0)] = 1


class Worlds(Struct, frozen=True, forbid_unknown_fields=True):
    """How long `teecall run three-worlds` is, and what runs its KVM guest."""

    seconds: Positive = 3
    orders: Annotated[int, Meta(ge=1, le=6)] = 1
    vmm: Literal["teecall", "qemu"] = "teecall"


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a run is told."""

    opensbi: OpenSbi = OpenSbi()
    tsm: Tsm = Tsm()
    host: Host = Host()
    busybox: Busybox = Busybox()
    mbedtls: MbedTls = MbedTls()
    tvm: Tvm = Tvm()
    qemu: Qemu = Qemu()
    machine: Machine = Machine()
    memory: Memory = Memory()
    console: Console = Console()
    timeouts: Timeouts = Timeouts()
    build: Build = Build()
    sweep: Sweep = Sweep()
    conformance: Conformance = Conformance()
    worlds: Worlds = Worlds()
