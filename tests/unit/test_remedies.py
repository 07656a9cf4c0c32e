# SPDX-License-Identifier: Apache-2.0
"""Error texts name the right cause, and a remedy that helps."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.build.jobs import Jobserver, Tools
from harness.build.recipe import Bench
from harness.cli.main import run
from harness.config.explain import explain_key, render
from harness.config.load import load
from harness.config.schema import Config
from harness.errors import BuildError, ConfigError, SourceError, StoreError, ToolMissing
from harness.machine.layout import Image, Segment, Span, check_layout
from harness.sources.fetch import Fetcher
from harness.sources.lock import Pin
from harness.sources.resolve import Sources
from harness.sources.unpack import unpack
from harness.tools import require
from harness.ui import PlainUi, QuietUi


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("machine.harts=9", "write a whole number from 1 to 8"),
        ("build.jobs=-1", "write a whole number, 0 or more"),
        ("timeouts.boot_s=0", "write a number above 0"),
        ("machine.harts=many", "write a whole number from 1 to 8"),
        ("tsm.flags=-DX", "write a list: [-DX]"),
    ],
)
def test_remedy_says_what_the_key_takes(setting: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load((), (setting,))
    assert caught.value.remedy == remedy


@pytest.mark.parametrize("value", ['"a b"', "'a b'", "a b"])
def test_quotes_around_a_value_are_not_part_of_it(value: str) -> None:
    assert load((), (f"host.cmdline={value}",)).value.host.cmdline == "a b"


def test_quotes_inside_a_value_stay() -> None:
    assert load((), ('host.cmdline=x="a b" # c',)).value.host.cmdline == 'x="a b" # c'


def test_addresses_are_shown_in_hex_and_read_back() -> None:
    shown = render(load())
    assert "tsm_base: 0x8f000000\n" in shown
    assert "pool_size: 0x10000000\n" in shown
    assert "memory_mib: 1024\n" in shown
    assert yaml.safe_load(shown)["memory"]["tsm_base"] == 0x8F000000
    assert explain_key(load(), "memory.pool_base")[0] == "memory.pool_base = 0x90000000"


def test_explain_knows_which_versions_there_are() -> None:
    with pytest.raises(ConfigError, match=r"opensbi-1\.8'") as caught:
        explain_key(load((), ("opensbi.version=1.8",)), "opensbi.version")
    assert "opensbi-1.8.1" in caught.value.remedy
    assert explain_key(load(), "opensbi.version")


def test_program_by_path_is_named_for_what_it_is(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    for program, why in ((plain, "not executable"), (tmp_path, "a folder")):
        with pytest.raises(ToolMissing, match=f"is {why}") as caught:
            require(str(program), "qemu.binary")
        assert caught.value.remedy == "correct qemu.binary"
    with pytest.raises(ToolMissing, match="is not there"):
        require(str(tmp_path / "no"), "qemu.binary")
    with pytest.raises(ToolMissing, match="is not installed") as caught:
        require("foo-gcc", "build.cross_compile")
    assert "build.cross_compile" in caught.value.remedy


def test_damaged_tarball_of_the_users_is_not_to_be_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    archive = tmp_path / "x.tar"
    archive.write_bytes(b"no tarball")
    for own in (False, True):
        with pytest.raises(SourceError) as caught:
            unpack(archive, tmp_path / "in", own=own)
        assert ("fetch" in caught.value.remedy) is not own


def test_tsm_linked_elsewhere_is_to_be_linked_anew() -> None:
    memory = Config().memory
    segment = Segment(0, memory.pool_base, memory.pool_base, 4096, True, b"")
    tsm = Image(Path("tsm.elf"), memory.pool_base, (segment,))
    with pytest.raises(ConfigError, match="overlap") as caught:
        check_layout([Span("kernel Image", 0x80200000, 4096)], Config(), tsm)
    assert "link the TSM" in caught.value.remedy


def test_cache_that_cannot_be_written_is_no_missing_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Path:
        raise StoreError("cannot write the cache", "TEECALL_CACHE")

    fetcher = Fetcher(tmp_path, QuietUi(), offline=False)
    monkeypatch.setattr(fetcher, "archive", refuse)
    pin = Pin("mbedtls", "3", ("url:https://example.org/m.tar#sha256=" + "0" * 64,), "", "0" * 64)
    with pytest.raises(StoreError, match="cannot write the cache"):
        fetcher.pinned("mbedtls", pin)


def test_offline_says_nothing_of_fetching(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = Sources(Config(), PlainUi(), offline=True, cache=tmp_path)
    with pytest.raises(SourceError):
        sources.materialise("mbedtls")
    told = capsys.readouterr().err
    assert "looking in the cache" in told
    assert "fetching" not in told


def test_read_only_cache_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TEECALL_CACHE", str(tmp_path / "file"))
    assert run(["smoke"]) != 0
    assert "TEECALL_CACHE" in capsys.readouterr().err


def test_compiler_errors_name_the_users_file(tmp_path: Path) -> None:
    source, work = tmp_path / "mine" / "opensbi", tmp_path / "work"
    inner = tmp_path / "own" / "tsmd"
    for folder in (source, inner, work):
        folder.mkdir(parents=True)
    bench = Bench(
        config=Config(),
        sources=Sources(Config(), QuietUi(), offline=True, cache=tmp_path / "cache"),
        needs={},
        work=work,
        out=tmp_path,
        log=tmp_path / "x.log",
        tools=Tools(Jobserver(1)),
        on_line=lambda line: None,
    )
    bench.copy_folder(source, work / "opensbi")
    bench.copy_folder(inner, work / "opensbi" / "lib" / "tsmd")
    says = (
        f"echo {work}/opensbi/lib/tsmd/a.c:1:1: error: x; "
        f"echo {work}/opensbi/b.c:2:1: error: y; echo {work}/opensbi-2/c.c:3:1: error: z; exit 1"
    )
    with pytest.raises(BuildError) as caught:
        bench.run(["sh", "-c", says])
    assert caught.value.details == (
        f"{inner}/a.c:1:1: error: x",
        f"{source}/b.c:2:1: error: y",
        f"{work}/opensbi-2/c.c:3:1: error: z",
    )
    assert f"{source}/b.c:2:1" in bench.log.read_text()
