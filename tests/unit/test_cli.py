# SPDX-License-Identifier: Apache-2.0
"""The command: light to start, exit codes, errors with a remedy."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harness.cli import main
from harness.cli.main import VerbGroup, run, teecall
from harness.errors import ConfigError, InfraError, TeecallError
from harness.tools import parse_version
from harness.verdict import Verdict, worst

HEAVY = {"rich", "requests", "pexpect", "elftools", "yaml", "msgspec", "qemu"}


def imported(code: str) -> set[str]:
    program = f"import sys; {code}; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in output.stdout.split()}


def test_help_imports_nothing_heavy() -> None:
    assert not imported("import harness; from harness.cli.main import run; run(['-h'])") & HEAVY


def test_a_build_with_nothing_to_do_imports_no_display_and_no_network() -> None:
    assert not imported("import harness.cli.build") & {"rich", "requests", "pexpect", "elftools"}


def test_every_verb_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listing = capsys.readouterr().out
    for verb in main._verb_files():
        assert verb in listing
        assert run([verb, "--help"]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 5, verb


def test_unknown_verbs_and_options_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["biuld"]) == 2
    assert run(["build", "--nope"]) == 2
    assert "--nope" in capsys.readouterr().err


def test_an_error_shows_message_details_and_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InfraError("it broke", "mend it", details=["line 1"])

    monkeypatch.setattr(teecall, "main", fail)
    assert run([]) == 99
    told = capsys.readouterr().err
    assert "error: it broke" in told
    assert "| line 1" in told
    assert "remedy: mend it" in told


def test_a_bad_key_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--set", "consle.mode=port"]) == 2
    assert "did you mean 'console'" in capsys.readouterr().err


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(teecall, "main", interrupt)
    assert run([]) == 130


def test_doctor_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "qemu-old"
    old.write_text("#!/bin/sh\necho 'QEMU emulator version 7.2.19'\n")
    old.chmod(0o755)
    assert run(["doctor", "--set", f"qemu.binary={old}"]) == 99
    told = capsys.readouterr()
    (line,) = (line for line in told.out.splitlines() if str(old) in line)
    assert line.startswith("old")
    assert "7.2.19" in line
    assert ">= 9.0" in line
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["doctor", "-q"]) == 99
    assert "apt-get install device-tree-compiler" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)", (10, 0, 2)),
        ("GNU Make 4.3", (4, 3)),
        ("Version: DTC 1.6.1", (1, 6, 1)),
        ("no version", ()),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def test_verdicts_and_errors_know_their_exit_codes() -> None:
    codes = [verdict.exit_code for verdict in Verdict]
    assert codes == [0, 1, 1, 1, 124, 77, 99]
    assert worst([]) is Verdict.PASS
    assert worst([Verdict.PASS, Verdict.FAIL, Verdict.INFRA]) is Verdict.INFRA
    assert (ConfigError("").exit_code, InfraError("").exit_code) == (2, 99)
    assert TeecallError("x").exit_code == 1


@pytest.mark.parametrize("name", VerbGroup().list_commands(click.Context(VerbGroup())))
def test_every_verb_tells_its_exit_codes(name: str) -> None:
    group = VerbGroup()
    command = group.get_command(click.Context(group), name)
    assert command is not None
    text = command.get_help(click.Context(command, info_name=name)).lower()
    assert "exit code" in text and re.search(r"exit codes?\D*\d", text)
