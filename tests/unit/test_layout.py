# SPDX-License-Identifier: Apache-2.0
"""What is checked and made before a boot: images in memory, command line, device tree."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from harness.config.schema import Config, Console, Host, Machine, Memory
from harness.errors import ConfigError
from harness.machine.argv import (
    BootFiles,
    inherited_wiring,
    printable,
    qemu_argv,
    terminal_wiring,
)
from harness.machine.devicetree import with_fresh_seed
from harness.machine.layout import (
    Span,
    check_layout,
    device_tree_span,
    firmware_span,
    initrd_span,
    kernel_span,
    parse_image,
    read_image,
)
from harness.machine.prepare import addition
from harness.machine.ram import RAM_BASE
from tests.unit.elf_maker import elf

MIB = 1 << 20
CONFIG = Config()
TSM_BASE = CONFIG.memory.tsm_base


def tsm(at: int = TSM_BASE, size: int = 64) -> bytes:
    return elf(at, b"\x73" * size)


def spans() -> list[Span]:
    return [
        Span("firmware", RAM_BASE, MIB),
        Span("kernel Image", RAM_BASE + 2 * MIB, 4 * MIB),
        initrd_span(3 * MIB, 1024 * MIB),
        device_tree_span(8192, 1024 * MIB),
    ]


def check(tsm_elf: bytes, config: Config = CONFIG, extra: tuple[Span, ...] = ()) -> None:
    check_layout([*spans(), *extra], config, parse_image(tsm_elf, Path("tsm.elf"), "the TSM"))


def test_default_layout_is_free_of_overlaps() -> None:
    check(tsm())


def test_overlap_names_both() -> None:
    with pytest.raises(ConfigError, match=r"kernel Image .* and TSM segment 0 of tsm.elf"):
        check(tsm(RAM_BASE + 3 * MIB))


def test_tsm_outside_its_region_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not fit in TSM region"):
        check(tsm(TSM_BASE - MIB))


def test_boot_information_page_is_kept_free() -> None:
    with pytest.raises(ConfigError, match="does not fit in TSM region"):
        check(tsm(TSM_BASE + CONFIG.memory.tsm_size - 4096 - 32))


def test_pool_over_the_initrd_is_refused() -> None:
    small = changed(CONFIG, machine=Machine(memory_mib=512))
    with pytest.raises(ConfigError, match=r"initrd .* and confidential pool"):
        check_layout([initrd_span(MIB, 512 * MIB)], small, parse_image(tsm(), Path("t"), "t"))


def test_pool_beyond_memory_is_refused() -> None:
    config = changed(CONFIG, memory=Memory(pool_base=0xF0000000))
    with pytest.raises(ConfigError, match=r"confidential pool .* does not fit in memory"):
        check(tsm(), config)


def test_spans_that_touch_do_not_overlap() -> None:
    assert not Span("a", 0, 16).overlaps(Span("b", 16, 16))
    assert Span("a", 0, 17).overlaps(Span("b", 16, 16))


@pytest.mark.parametrize(
    ("blob", "says"),
    [
        (b"hello", "not an ELF"),
        (elf(0, b"x", machine=62), "another machine"),
        (elf(0, b"x", bits=32), "32-bit"),
        (elf(0, b"x")[:80], "cut short"),
        (elf(0, b""), "nothing to load"),
    ],
)
def test_wrong_elf_is_refused(tmp_path: Path, blob: bytes, says: str) -> None:
    path = tmp_path / "x.elf"
    path.write_bytes(blob)
    with pytest.raises(ConfigError, match=says):
        read_image(path, "the TSM")


def test_missing_elf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_image(tmp_path / "no.elf", "the TSM")


def test_firmware_is_placed_at_the_start_of_memory() -> None:
    span = firmware_span(parse_image(elf(0, bytes(4096)), Path("fw"), "fw"), harts=2)
    assert span.base == RAM_BASE
    assert span.size > 4096


def test_kernel_size_comes_from_its_header(tmp_path: Path) -> None:
    path = tmp_path / "Image"
    path.write_bytes(struct.pack("<IIQQQIIQ8sI", 0, 0, 0x200000, 5 * MIB, 0, 2, 0, 0,
                                 b"RISCV\0\0\0", 0))  # fmt: skip
    assert kernel_span(path).size == 5 * MIB


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b" + bytes(100)])
def test_what_is_no_kernel_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Image"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not a RISC-V kernel Image"):
        kernel_span(path)


FILES = BootFiles(*(Path(f"/f/{name}") for name in ("fw", "tsm", "Image", "initrd", "dtb")))


def test_argument_vector_has_every_image() -> None:
    argv = qemu_argv(CONFIG, FILES, inherited_wiring(Path("/run"), "file,path=/x", 3, 5, 6, 7))
    text = " ".join(argv)
    for part in (
        "-bios /f/fw",
        "loader,file=/f/tsm",
        "-kernel /f/Image",
        "-initrd /f/initrd",
        "-dtb /f/dtb",
        "mem-path=/proc/self/fd/3,share=on",
        "file,path=/x,logfile=/run/uart.log,id=uart0",
        "virtserialport,chardev=shell,name=org.teecall.shell",
        "-machine virt,memory-backend=ram",
        "-smp 2",
    ):
        assert part in text


def test_serial_mode_has_no_port() -> None:
    config = changed(CONFIG, console=Console(mode="serial"))
    argv = qemu_argv(config, FILES, inherited_wiring(Path("/run"), "file,path=/x", 3, 5, 6, 7))
    assert not any("virtserialport" in word for word in argv)
    assert "teecall.console=serial" in argv[argv.index("-append") + 1]


def test_user_words_reach_the_kernel() -> None:
    config = changed(CONFIG, host=Host(cmdline="quiet nosmp"))
    argv = qemu_argv(config, FILES, terminal_wiring(Path("/run")))
    assert argv[argv.index("-append") + 1].endswith("quiet nosmp")


def test_command_by_hand_needs_no_descriptor() -> None:
    argv = qemu_argv(CONFIG, FILES, terminal_wiring(Path("/run")))
    assert not any(re.search(r"\bfd=|/proc/self", word) for word in argv)
    assert printable(argv).startswith("qemu-system-riscv64 \\\n    -machine virt")


def test_comma_in_a_path_is_doubled() -> None:
    argv = qemu_argv(CONFIG, replace(FILES, tsm=Path("/a,b")), terminal_wiring(Path("/r,s")))
    assert "loader,file=/a,,b" in argv


def tree(*, seed: bytes) -> bytes:
    """A flattened device tree with /chosen/rng-seed."""
    strings = b"other\0rng-seed\0"

    def prop(name: int, value: bytes) -> bytes:
        return struct.pack(">III", 3, len(value), name) + value + bytes(-len(value) % 4)

    def node(name: bytes, body: bytes) -> bytes:
        raw = name + b"\0"
        return struct.pack(">I", 1) + raw + bytes(-len(raw) % 4) + body + struct.pack(">I", 2)

    body = node(b"soc@0", prop(6, b"not this"))
    body += node(b"chosen", struct.pack(">I", 4) + prop(0, b"abc") + prop(6, seed))
    structure = node(b"", body) + struct.pack(">I", 9)
    head = struct.pack(">IIII", 0xD00DFEED, 0, 40, 40 + len(structure)) + bytes(24)
    return head + structure + strings


def test_seed_is_replaced_in_place() -> None:
    assert with_fresh_seed(tree(seed=b"a" * 32), b"b" * 32) == tree(seed=b"b" * 32)


def test_seed_is_cut_to_the_property() -> None:
    assert with_fresh_seed(tree(seed=b"a" * 5), b"b" * 32) == tree(seed=b"b" * 5)


def test_tree_without_seed_stays() -> None:
    plain = tree(seed=b"a" * 32).replace(b"rng-seed", b"rng-sxxd")
    assert with_fresh_seed(plain, b"b" * 32) == plain


def test_files_are_added_behind_the_initramfs() -> None:
    first = b"070701" + b"x" * 7
    both = first + addition(len(first), {"/payload/a/hello.elf": b"data"})
    assert both.index(b"070701", 6) % 4 == 0
    for name in (b"payload\0", b"payload/a\0", b"payload/a/hello.elf\0", b"TRAILER!!!\0"):
        assert name in both
    assert addition(len(first), {}) == b""
