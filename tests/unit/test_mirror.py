# SPDX-License-Identifier: Apache-2.0
"""Which mirror is found in a system's apt configuration."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import NoSpace, SourceError
from harness.sources import mirror
from harness.sources.apt import Apt, UnknownVersion, with_version
from harness.sources.spec import parse

DEB822 = """\
# The system's sources.
Types: deb
# URIs: http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
"""
THIRD_PARTY = "deb [signed-by=/k.gpg arch=amd64] https://third.example/apt nodistro main\n"
ONE_LINE = "# deb http://no.example x main\ndeb-src http://src.example/debian trixie main\n" + (
    "deb cdrom:[disc]/ trixie main\ndeb [signed-by=/k.gpg] http://line.example/debian trixie main\n"
)


def system(folder: Path, files: dict[str, str], release: str = "debian") -> mirror.Mirror | None:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "os-release").write_text(f'ID={release}\nVERSION_CODENAME="bookworm"\n')
    return mirror.find(folder, folder / "os-release")


def test_deb822(tmp_path: Path) -> None:
    files = {"sources.list.d/a.list": THIRD_PARTY, "sources.list.d/debian.sources": DEB822}
    wanted = mirror.Mirror("http://mirror.example/debian", "/usr/share/keyrings/debian.gpg")
    assert system(tmp_path, files) == wanted


def test_one_line(tmp_path: Path) -> None:
    found = system(tmp_path, {"sources.list": ONE_LINE})
    assert found == mirror.Mirror("http://line.example/debian", "/k.gpg")


def test_another_distribution(tmp_path: Path) -> None:
    text = "deb http://mirror.example/ubuntu noble main\n"
    assert system(tmp_path, {"sources.list": text}, "ubuntu") is None


class Replies:
    """An apt that answers from a script."""

    def __init__(self, *errors: str) -> None:
        self.errors = list(errors)
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """Answer with the next error; succeed when there is none left."""
        self.commands.append(command)
        error = self.errors.pop(0) if self.errors else ""
        return subprocess.CompletedProcess(command, 100 if error else 0, "", error)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times: list[float] = []
    monkeypatch.setattr(time, "sleep", times.append)
    return times


def test_a_passing_fault_of_the_mirror_is_tried_again(tmp_path: Path, waits: list[float]) -> None:
    notes: list[str] = []
    replies = Replies("E: Mirror sync in progress?", "E: Temporary failure resolving")
    Apt(tmp_path, notes.append, replies).update()
    assert waits == [2.0, 5.0]
    assert "Mirror sync" in notes[0]


def test_a_lasting_fault_is_an_error(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(SourceError, match="apt failed") as caught:
        Apt(tmp_path, lambda _: None, Replies(*["E: Could not connect"] * 9)).update()
    assert caught.value.remedy
    assert len(waits) == 3


def test_a_bad_list_of_one_suite_does_not_stop_the_other(
    tmp_path: Path, waits: list[float]
) -> None:
    notes: list[str] = []
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/mirror_dists_trixie_main_binary-riscv64_Packages.lz4").touch()
    bad = "E: Failed to fetch http://mirror/dists/sid/main/Packages.xz  Hash Sum mismatch"
    Apt(tmp_path, notes.append, Replies(*[bad] * 9)).update()
    assert notes[-1] == f"{bad}; what the lists here have is used"
    assert len(waits) == 3


class Archive:
    """An apt whose mirror has two kernels, each with its version in its name."""

    NAMES = ("image-6.12.9+deb13-riscv64", "image-6.12.107+deb13-riscv64", "image-6.12.107-rt")

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """Answer what `newest` asks."""
        text = ""
        if "pkgnames" in command:
            text = "\n".join(self.NAMES)
        if "madison" in command:
            asked = command[command.index("madison") + 1 :]
            text = "".join(
                f"{name} | {name.split('-')[1].split('+')[0]}-1 |"
                " http://mirror.example/debian trixie/main riscv64 Packages\n"
                for name in asked
            )
        return subprocess.CompletedProcess(command, 0, text, "")


def test_a_package_with_its_version_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = mirror.Mirror("http://mirror.example/debian", "/k.gpg")
    monkeypatch.setattr(mirror, "find", lambda: found)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    spec = parse("apt:image-6.12.7+deb13-riscv64=6.12.7-1")
    version = Apt(tmp_path, lambda _: None, Archive()).newest(spec, "6.12")
    assert version == "6.12.107-1"
    newer = with_version(spec, version)
    assert str(newer) == "apt:image-6.12.107+deb13-riscv64=6.12.107-1"
    plain = parse("apt:busybox-static=1:1.37.0-6+b9")
    assert str(with_version(plain, "1:1.37.0-7")) == "apt:busybox-static=1:1.37.0-7"


def test_where_the_pool_has_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = mirror.Mirror("http://mirror.example/debian/", "/k.gpg")
    monkeypatch.setattr(mirror, "find", lambda: found)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")

    def printed(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        line = "'http://mirror.example/debian/pool/main/x/x_1%2b2_all.deb' x_1+2_all.deb 5 SHA256:0"
        return subprocess.CompletedProcess(command, 0, line if "x=1" in command else "", "")

    apt = Apt(tmp_path, lambda _: None, printed)
    assert str(apt.in_pool(parse("apt:x=1"))) == "pool:main/x/x_1+2_all.deb"
    with pytest.raises(SourceError, match="names no file"):
        apt.in_pool(parse("apt:y=1"))


def test_an_unknown_version_renews_the_lists_once(
    tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = mirror.Mirror("http://mirror.example/debian", "/k.gpg")
    monkeypatch.setattr(mirror, "find", lambda: found)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/x_InRelease").touch()
    gone = "E: Version '1' for 'x' was not found"
    replies = Replies(gone, "", gone)
    with pytest.raises(UnknownVersion):
        Apt(tmp_path, lambda _: None, replies).fetch(parse("apt:x=1"), tmp_path)
    assert [command[-1] for command in replies.commands] == ["x=1", "update", "x=1"]
    assert not waits


def test_a_full_disk_is_noticed_before_apt_hangs_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    replies = Replies()
    with pytest.raises(NoSpace):
        Apt(tmp_path, lambda _: None, replies).update()
    assert not replies.commands


def test_a_disk_that_gets_full(tmp_path: Path) -> None:
    with pytest.raises(NoSpace):
        Apt(tmp_path, lambda _: None, Replies("E: No space left on device")).update()
