# SPDX-License-Identifier: Apache-2.0
"""Recipes and tools: what a failed build says, the job budget, initramfs, kernel options."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.build import cpio
from harness.build.builder import Builder
from harness.build.errorlines import first_errors
from harness.build.firmware import OpenSbiRecipe
from harness.build.jobs import Jobserver, Tools
from harness.build.kernel import check_options, user_kernel
from harness.config.load import load
from harness.errors import (
    BuildError,
    Cancelled,
    ConfigError,
    NoSpace,
    SourceError,
    TeecallError,
    ToolMissing,
)
from harness.ui import QuietUi

# A compiler that accepts everything, so that recipes can be tried without the cross tools.
FAKE_GCC = """#!/bin/sh
case "$*" in *--version*) echo "fakegcc 1.0"; exit;; esac
exit 0
"""


@pytest.fixture
def tools() -> Tools:
    return Tools(Jobserver(2))


def run(tools: Tools, folder: Path, script: str) -> list[str]:
    lines: list[str] = []
    tools.run(["sh", "-c", script], cwd=folder, log=folder / "log", on_line=lines.append)
    return lines


def test_output_goes_to_the_log_and_to_the_screen(tools: Tools, tmp_path: Path) -> None:
    assert run(tools, tmp_path, "echo out; echo err >&2") == ["out", "err"]
    assert (tmp_path / "log").read_text().endswith("out\nerr\n")


def test_a_failure_shows_the_compilers_errors_and_the_log(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int f(void) { return nothing; }\n")
    (tmp_path / "Makefile").write_text("bad.o: bad.c\n\t$(CC) -c -o $@ $<\n")
    with pytest.raises(BuildError) as caught:
        tools.run(["make"], cwd=tmp_path, log=tmp_path / "log", on_line=lambda _: None)
    assert re.match(r"bad\.c:1:\d+: error: .*nothing", caught.value.details[0])
    assert str(tmp_path / "log") in caught.value.remedy
    assert caught.value.exit_code == 1


def test_a_full_disk_is_no_build_error(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(NoSpace):
        run(tools, tmp_path, "echo 'ld: final link failed: No space left on device'; exit 1")


def test_stop_kills_what_runs_with_its_children(tools: Tools, tmp_path: Path) -> None:
    timer = threading.Timer(0.3, tools.stop)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run(tools, tmp_path, "sleep 60 & echo $! > pid; wait")
    assert time.monotonic() - begun < 10
    child = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    deadline = time.monotonic() + 5
    while child.exists() and " Z " not in child.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.exists() or " Z " in child.read_text()
    with pytest.raises(Cancelled):
        run(tools, tmp_path, "true")


def test_makes_share_one_budget_of_jobs(tmp_path: Path) -> None:
    # Each job notes its begin and its end; the running number is never above the budget.
    job = "\t@echo + >> $(LOG); sleep 0.05; echo - >> $(LOG)\n"
    names = [f"j{number}" for number in range(6)]
    rules = "".join(f"{name}:\n{job}" for name in names)
    (tmp_path / "Makefile").write_text(f"all: {' '.join(names)}\n{rules}")
    log = tmp_path / "jobs"
    tools = Tools(Jobserver(2))

    def make(number: int) -> None:
        output = tmp_path / f"log{number}"
        tools.run(["make", f"LOG={log}"], cwd=tmp_path, log=output, on_line=lambda _: None)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running = most = 0
    for mark in log.read_text().split():
        running += 1 if mark == "+" else -1
        most = max(most, running)
    assert log.read_text().count("+") == 18
    assert most == 2


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        (["CC a.o", "a.c:3:1: error: x", "make: *** [a.o] Error 1"], ["a.c:3:1: error: x"]),
        (["ld: a.o: in function `f':", "a.c:(.text+0x4): undefined reference to `g'"], None),
        (["FATAL ERROR: Unable to parse input tree"], None),
        (["Error: t.dts:4.2-3 syntax error"], None),
        (
            ["first", "second", "make: *** [x] Error 1"],
            ["first", "second", "make: *** [x] Error 1"],
        ),
        (["a.c:1:1: error: x"] * 20, ["a.c:1:1: error: x"]),
        ([], []),
    ],
)
def test_error_lines(log: list[str], shown: list[str] | None) -> None:
    assert first_errors(log) == (log[-1:] if shown is None else shown)


def test_an_option_that_does_not_take_is_named(tmp_path: Path) -> None:
    fragment, result = tmp_path / "kernel.config", tmp_path / ".config"
    fragment.write_text('# a\nCONFIG_A=y\nCONFIG_B=y\nCONFIG_C=n\nCONFIG_S="x"\n')
    result.write_text('CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\nCONFIG_S="x"\n')
    check_options(fragment, result)
    result.write_text('CONFIG_A=y\nCONFIG_C=y\nCONFIG_S="x"\n')
    with pytest.raises(BuildError, match=r"2 option\(s\)") as caught:
        check_options(fragment, result)
    assert caught.value.details == ("CONFIG_B=y (got n)", "CONFIG_C=n (got y)")


def test_an_archive_that_cpio_reads(tmp_path: Path) -> None:
    (tmp_path / "init").write_bytes(b"#!/bin/sh\n")
    text = (
        "# list\ndir /bin 755 0 0\nfile /init ${INIT} 755 0 0\nslink /bin/sh busybox 777 0 0\n"
        "nod /dev-console 600 0 0 c 5 1\n"
    )
    members = cpio.parse_list(text, {"INIT": str(tmp_path / "init")}, "l")
    data = cpio.archive(members)
    assert data == cpio.archive(members)
    assert len(data) % 4 == 0
    assert data[:6] == b"070701"
    assert b"TRAILER!!!" in data
    names = [member.name for member in members]
    assert names == ["/bin", "/init", "/bin/sh", "/dev-console"]
    if shutil.which("cpio"):
        shown = subprocess.run(["cpio", "-it"], input=data, capture_output=True, check=True).stdout
        assert shown.decode().split() == ["bin", "init", "bin/sh", "dev-console"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("file /x ${NOPE} 755 0 0", "NOPE"),
        ("file /x /nowhere/x 755 0 0", "No such file"),
        ("dir /x 999 0 0", "not understood"),
        ("dir /x", "not understood"),
        ("pile /x", "pile"),
    ],
)
def test_a_bad_line_of_the_list(line: str, words: str) -> None:
    with pytest.raises(BuildError, match=words) as caught:
        cpio.parse_list(f"\n{line}\n", {"INIT": "/init"}, "my.list")
    assert "my.list:2" in caught.value.message


def test_host_kernel(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        user_kernel(str(tmp_path / "Image"))
    image = tmp_path / "arch/riscv/boot/Image"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    assert user_kernel(str(tmp_path)) == (image, None)
    for name in (".config", "Module.symvers", "Makefile"):
        (tmp_path / name).touch()
    assert user_kernel(str(tmp_path)) == (image, tmp_path)
    assert user_kernel(str(image)) == (image, tmp_path)


@pytest.fixture
def cross(tmp_path: Path) -> str:
    """Return the prefix of cross tools that do nothing."""
    for name in ("gcc", "ld"):
        path = tmp_path / f"fake-{name}"
        path.write_text(FAKE_GCC)
        path.chmod(0o755)
    return str(tmp_path / "fake-")


def only(builder: Builder, recipe: type) -> Builder:
    builder._recipes = lambda: [recipe()]  # type: ignore[method-assign]
    return builder


def opensbi_tree(folder: Path, rule: str) -> Path:
    (folder / "lib/sbi").mkdir(parents=True)
    (folder / "lib/sbi/objects.mk").touch()
    (folder / "Makefile").write_text(f"all:\n\t{rule}\n")
    return folder


def test_an_overlay_that_does_not_compile(tmp_path: Path, cache: Path, cross: str) -> None:
    tree = opensbi_tree(tmp_path / "sbi", "gcc -c -o /dev/null lib/sbi/tsmd/bad.c")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "bad.c").write_text("int f(void) { return nothing; }\n")
    (overlay / "objects.mk").write_text("")
    sets = [f"opensbi.source=path:{tree}", f"opensbi.overlay=path:{overlay}"]
    config = load([], [*sets, f"build.cross_compile={cross}"]).value
    with pytest.raises(BuildError, match=r"^opensbi: make failed") as caught:
        only(Builder(config, QuietUi()), OpenSbiRecipe).run()
    assert re.match(r"lib/sbi/tsmd/bad\.c:1:.*nothing", caught.value.details[0])
    log = Path(caught.value.remedy.removeprefix("the full log is "))
    assert "error:" in log.read_text()
    assert not list((cache / "store").rglob("manifest.json"))
    # The user's folders are as they were.
    assert sorted(path.name for path in overlay.iterdir()) == ["bad.c", "objects.mk"]
    assert not (tree / "lib/sbi/tsmd").exists()


def test_a_build_that_makes_nothing(tmp_path: Path, cache: Path, cross: str) -> None:
    tree = opensbi_tree(tmp_path / "sbi", "true")
    config = load([], [f"opensbi.source=path:{tree}", f"build.cross_compile={cross}"]).value
    with pytest.raises(BuildError, match=r"the build made no fw_dynamic\.bin"):
        only(Builder(config, QuietUi()), OpenSbiRecipe).run()


def test_a_folder_that_is_no_opensbi(tmp_path: Path, cache: Path, cross: str) -> None:
    (tmp_path / "sbi").mkdir()
    sets = [f"opensbi.source=path:{tmp_path / 'sbi'}", f"build.cross_compile={cross}"]
    with pytest.raises(ConfigError, match="is no OpenSBI tree"):
        only(Builder(load([], sets).value, QuietUi()), OpenSbiRecipe).run()


def test_a_missing_compiler(cache: Path) -> None:
    config = load([], ["build.cross_compile=no-such-"]).value
    with pytest.raises(ToolMissing, match="no-such-gcc is not installed") as caught:
        Builder(config, QuietUi()).run()
    assert caught.value.exit_code == 99


def test_a_corrupt_entry_is_built_again(tmp_path: Path, cache: Path, cross: str) -> None:
    made = "$(O)/platform/generic/firmware"
    rule = (
        f"mkdir -p {made} && echo bin > {made}/fw_dynamic.bin && echo elf > {made}/fw_dynamic.elf"
    )
    tree = opensbi_tree(tmp_path / "sbi", rule)
    config = load([], [f"opensbi.source=path:{tree}", f"build.cross_compile={cross}"]).value

    def build(full_check: bool = False) -> tuple[str, ...]:
        builder = only(Builder(config, QuietUi(), full_check=full_check), OpenSbiRecipe)
        builder._artefacts = lambda places: places  # type: ignore
        return builder.run().built

    assert build() == ("opensbi",)
    assert build() == ()
    (entry,) = (cache / "store").rglob("fw_dynamic.bin")
    entry.write_text("rotten")
    assert build() == ("opensbi",)
    assert entry.read_text() == "bin\n"
    before = entry.stat()
    entry.write_text("BIN\n")
    os.utime(entry, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert build() == ()
    assert build(full_check=True) == ("opensbi",)


def test_offline_without_sources(cache: Path, cross: str) -> None:
    config = load([], [f"build.cross_compile={cross}"]).value
    with pytest.raises(SourceError) as caught:
        only(Builder(config, QuietUi(), offline=True), OpenSbiRecipe).run()
    assert isinstance(caught.value, TeecallError)
    assert "no origin delivers it" in caught.value.message


def test_versions_name_headers_of_another_commit(tmp_path: Path, cache: Path, cross: str) -> None:
    for name in ("driver", "tsm"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "teecall.h").write_text(f"/* {name} */\n")
    own = (f"opensbi.abi=path:{tmp_path}/driver", f"tsm.abi=path:{tmp_path}/tsm")
    places = {"tsm": tmp_path}
    usual = Builder(load().value, QuietUi())._versions(places)
    assert not {"overlay-abi", "tsm-abi"} & set(usual)
    versions = Builder(load((), own).value, QuietUi())._versions(places)
    assert versions["overlay-abi"].startswith(f"path:{tmp_path}/driver (tree ")
    assert versions["tsm-abi"].startswith(f"path:{tmp_path}/tsm (tree ")
    assert "tsm-abi" not in Builder(load((), own).value, QuietUi())._versions({})
