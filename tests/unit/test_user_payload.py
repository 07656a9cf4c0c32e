# SPDX-License-Identifier: Apache-2.0
"""Payloads, TSMs and emulators of the user's: what is refused before a boot, and by which words."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.build.given import check_given
from harness.cli.main import run
from harness.config.load import load
from harness.errors import ConfigError, ToolMissing
from harness.machine.emulator import check_emulator
from harness.machine.layout import KERNEL_BASE
from harness.machine.payload import flat_payload, payload_span

NOP = struct.pack("<I", 0x13)
_HEADER = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")


def elf(
    *parts: tuple[int, bytes], entry: int | None = None, kind: int = 2, machine: int = 243
) -> bytes:
    """An ELF file with a segment for each address and content."""
    start = _HEADER.size + _SEGMENT.size * len(parts)
    where = parts[0][0] if entry is None else entry
    head = (b"\x7fELF", 2, 1, 1, 0, kind, machine, 1, where, _HEADER.size, 0, 0)
    blob = _HEADER.pack(*head, _HEADER.size, _SEGMENT.size, len(parts), 0, 0, 0)
    for address, data in parts:
        blob += _SEGMENT.pack(1, 5, start, address, address, len(data), len(data) + 4, 4096)
        start += len(data)
    return blob + b"".join(data for _, data in parts)


CODE = (KERNEL_BASE, NOP * 4)
BAD = {
    "empty": (b"", "has no code"),
    "zeros": (bytes(64), "has no code"),
    "text": (b"echo hello\n", "is a text file"),
    "gzip": (b"\x1f\x8b\x08\0", "is packed (gzip)"),
    "xz": (b"\xfd7zXZ\0", "is packed (xz)"),
    "cut": (elf(CODE)[:80], "damaged"),
    "x86": (elf(CODE, machine=62), "for another machine"),
    "pie": (elf(CODE, kind=3), "not an executable at a fixed address"),
    "entry": (elf(CODE, entry=0x1000), "its entry 0x1000 is in no segment"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a payload goes."""
    return tmp_path / "payload"


@pytest.mark.parametrize("name", BAD)
def test_payload_that_is_none(
    name: str, file: Path, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    content, says = BAD[name]
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        check_given(load((), [f"tvm.payload={file}"]).value)
    assert caught.value.message.startswith("tvm.payload") and says in caught.value.message
    assert caught.value.remedy
    # Nothing is built or booted for it.
    assert run(["boot", "--payload", str(file)]) == 2
    told = capsys.readouterr().err
    assert "--payload" in told and says in told and "remedy" in told
    assert not (cache / "store").exists()


def test_payload_that_is_no_file(tmp_path: Path) -> None:
    for path, says in ((tmp_path, "is a folder"), (tmp_path / "no", "is not there")):
        with pytest.raises(ConfigError, match=says):
            payload_span(path, "--payload", 1024)


def test_payload_larger_than_memory(file: Path) -> None:
    with file.open("wb") as blob:
        blob.truncate(2 << 30)
    with pytest.raises(ConfigError, match="2048 MiB") as caught:
        payload_span(file, "--payload", 1024)
    assert "--build-id=none" in caught.value.remedy


def test_flat_binary_is_taken_as_it_is(file: Path) -> None:
    file.write_bytes(NOP)
    assert flat_payload(file, "--payload", 1024) == file
    assert payload_span(file, "--payload", 1024).base == KERNEL_BASE


def test_elf_file_is_laid_out(file: Path, cache: Path) -> None:
    file.write_bytes(elf(CODE, (KERNEL_BASE + 0x1010, b"data")))
    flat = flat_payload(file, "--payload", 1024).read_bytes()
    assert flat == NOP * 4 + bytes(0x1000) + b"data" + bytes(4)


def test_headers_in_front_of_the_code_are_left_out(file: Path, cache: Path) -> None:
    content = bytearray(elf((KERNEL_BASE - 0x1000, bytes(0x1000) + NOP), entry=KERNEL_BASE))
    with pytest.raises(ConfigError, match="is not behind 0x80200000"):
        file.write_bytes(content)
        flat_payload(file, "--payload", 1024)
    # The same, but the segment begins with the file.
    _SEGMENT.pack_into(
        content,
        _HEADER.size,
        *(1, 5, 0, KERNEL_BASE - 0x1000, KERNEL_BASE - 0x1000, len(content), len(content), 4096),
    )
    file.write_bytes(content)
    flat = flat_payload(file, "--payload", 1024).read_bytes()
    assert flat == content[0x1000:]


def test_jump_to_an_entry_that_is_not_first(file: Path, cache: Path) -> None:
    entry = KERNEL_BASE + 0x1804
    file.write_bytes(elf((KERNEL_BASE + 0x1000, NOP * 0x300), entry=entry))
    auipc, jalr = struct.unpack("<II", flat_payload(file, "--payload", 1024).read_bytes()[:8])
    # auipc t0, high; jalr zero, low(t0)
    assert auipc & 0xFFF == 0x297 and jalr & 0xFFFFF == 0x28067
    low = jalr >> 20
    assert (auipc >> 12 << 12) + low - (0x1000 if low >= 0x800 else 0) == entry - KERNEL_BASE
    file.write_bytes(elf((KERNEL_BASE, NOP * 4), entry=KERNEL_BASE + 4))
    with pytest.raises(ConfigError, match="starts at 0x80200004"):
        flat_payload(file, "--payload", 1024)


def test_tsm_whose_entry_is_nowhere(file: Path) -> None:
    file.write_bytes(elf((0x8F000000, NOP), entry=0x1000))
    with pytest.raises(ConfigError, match=r"^tsm.elf .*entry 0x1000 is in no segment"):
        check_given(load((), [f"tsm.elf={file}"]).value)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("echo QEMU emulator version 8.2.2", "teecall needs 9.0 or newer"),
        ("echo frobnicator 3.1", "is no QEMU: it says `frobnicator 3.1`"),
        ("exit 3", "exit status 3"),
    ],
)
def test_emulator_that_will_not_do(says: str, error: str, file: Path, cache: Path) -> None:
    file.write_text(f"#!/bin/sh\n{says}\n")
    with pytest.raises(ToolMissing, match="is not executable"):
        check_emulator(load((), [f"qemu.binary={file}"]).value)
    file.chmod(0o755)
    with pytest.raises(ToolMissing) as caught:
        check_emulator(load((), [f"qemu.binary={file}"]).value)
    assert error in caught.value.message and caught.value.remedy


def test_emulator_of_another_machine(file: Path) -> None:
    """What it refuses is not blamed on the machine's keys alone."""
    from harness.machine.devicetree import _dump

    file.write_text('#!/bin/sh\necho "qemu: unsupported machine type: virt" >&2\nexit 1\n')
    file.chmod(0o755)
    with pytest.raises(ConfigError) as caught:
        _dump([str(file)])
    assert f"qemu.binary: it must emulate riscv64, and it is {file}" in caught.value.remedy


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("path:/no/sbi", "/no/sbi is not there"),
        ("/no/sbi", "is not a source"),
        ("path:{}", "is no OpenSBI tree"),
        ("git:{}@main", "main"),
    ],
)
def test_opensbi_that_is_none(
    source: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README").write_text("something else\n")
    assert run(["build", "-q", "--set", f"opensbi.source={source.format(tmp_path)}"]) == 2
    told = capsys.readouterr().err
    assert says in told and "remedy" in told, told
