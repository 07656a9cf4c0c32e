# SPDX-License-Identifier: Apache-2.0
"""Values that do not fit together, and given files that will not do, are found at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import resources
from harness.build.builder import Builder
from harness.build.given import check_given
from harness.config.load import load
from harness.errors import ConfigError, InfraError, UsageError
from harness.machine.devicetree import merged_tree
from harness.machine.symbols import ElfSymbols
from harness.scenarios.payload import make_payload
from harness.ui import QuietUi
from tests.unit.elf_maker import elf


@pytest.mark.parametrize(
    ("sets", "key", "says"),
    [
        (["memory.tsm_size=0x300000"], "memory.tsm_size", "power of two"),
        (["memory.tsm_size=0x1000"], "memory.tsm_size", "power of two from 0x2000"),
        (["memory.tsm_base=0x8f100000"], "memory.tsm_base", "multiple of memory.tsm_size"),
        (["memory.pool_base=0x90000800"], "memory.pool_base", "multiple of a page"),
        (["memory.pool_size=0x1000800"], "memory.pool_size", "multiple of a page"),
        (["memory.pool_size=0x1ff000"], "memory.pool_size", "at least 0x200000"),
        (["memory.pool_base=0x8f800000"], "memory.pool_base", "overlap"),
        (["memory.pool_base=0x70000000"], "memory.pool_base", "not in memory"),
        (["machine.memory_mib=512", "memory.pool_size=0x20000000"], "memory.pool_base", "memory"),
        (["memory.tsm_base=0xf000000000"], "memory.tsm_base", "not in memory"),
    ],
)
def test_memory_that_does_not_fit(sets: list[str], key: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load((), sets)
    assert f"'{key}' cannot be" in caught.value.message


def test_the_layer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--set memory\.tsm_size: "):
        load((), ["memory.tsm_size=5"])
    file = tmp_path / "own.yaml"
    file.write_text("memory:\n  tsm_size: 0x3000\n")
    with pytest.raises(ConfigError, match=r"own\.yaml:2: "):
        load([file])


def test_smallest_memory_fits() -> None:
    load((), ["machine.memory_mib=512"])


GOOD = elf(0x8F000000, bytes(8192), symbols={"secret": (0x8F000000, 32)})


@pytest.mark.parametrize("key", ["tsm.elf", "tvm.payload"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an ELF file|has no code"),
        (b"just text", "not an ELF file|is a text file"),
        (GOOD[:40], "not an ELF file"),
        (GOOD[:100], "damaged"),
        (GOOD[:3000], "damaged"),
        (GOOD[:-10], "damaged"),
    ],
)
def test_damaged_elf_is_refused(key: str, content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "x.elf"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^{key} .*({says})"):
        check_given(load((), [f"{key}={file}"]).value)


def test_intact_elf_is_taken(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(GOOD)
    check_given(load((), [f"tsm.elf={tmp_path / 'x.elf'}"]).value)


@pytest.mark.parametrize("key", ["tsm.elf", "tvm.payload", "host.initrd"])
def test_given_file_that_is_no_file(key: str, tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{key}: .* is a folder"):
        check_given(load((), [f"{key}={tmp_path}"]).value)
    with pytest.raises(ConfigError, match=f"^{key}: .* is not there"):
        Builder(load((), [f"{key}={tmp_path / 'no'}"]).value, QuietUi()).plan()


def test_readers_name_a_damaged_elf(tmp_path: Path) -> None:
    file = tmp_path / "x.elf"
    file.write_bytes(GOOD[:3000])
    with pytest.raises(ConfigError, match="damaged"):
        ElfSymbols(file).object("secret")
    with pytest.raises(ConfigError, match="damaged"):
        make_payload(file, bytes(32))


@pytest.mark.parametrize("name", ["a b", *(f"a{c}b" for c in ",:$#%\t'\udcff")])
def test_cache_where_nothing_builds_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEECALL_CACHE", str(tmp_path / name))
    with pytest.raises(UsageError, match="the cache cannot be at") as caught:
        resources.cache_dir()
    assert "TEECALL_CACHE" in caught.value.remedy


def test_plain_cache_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEECALL_CACHE", str(tmp_path / "Ché-1.0_x+y@z~"))
    assert resources.cache_dir().parent == tmp_path


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        ("echo 'qemu: unable to find CPU model' >&2; exit 1", ConfigError, "machine.cpu"),
        ("echo 'qemu: invalid SMP' >&2; exit 1", ConfigError, r"machine\.\*"),
        ("echo 'x: Cannot allocate memory' >&2; exit 1", InfraError, "machine.memory_mib"),
        ("kill -9 $$", InfraError, "run again"),
    ],
)
def test_machine_that_qemu_refuses(
    script: str, kind: type[InfraError | ConfigError], says: str, tmp_path: Path
) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text(f"#!/bin/sh\n{script}\n")
    qemu.chmod(0o755)
    (tmp_path / "overlay").touch()
    with pytest.raises(kind) as caught:
        merged_tree(str(qemu), ["-machine", "virt"], tmp_path / "overlay", tmp_path / "cache")
    assert says.replace("\\", "") in caught.value.remedy
