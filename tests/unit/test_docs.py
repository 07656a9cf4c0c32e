# SPDX-License-Identifier: Apache-2.0
"""Documents name what exists; every verb takes `--json`; completion and help are whole."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pexpect
import pytest

from harness.cli.main import VerbGroup, _verb_files, run, teecall

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def lines_of(path: Path) -> Iterator[str]:
    for language, block in re.findall(r"```(\w*)\n(.*?)```", path.read_text(), re.S):
        if language not in ("", "sh", "console"):
            continue
        for line in block.splitlines():
            if "teecall " in line and "|" not in line.partition("teecall ")[0].strip()[:1]:
                yield line


def check_line(line: str) -> None:
    """Fail when a line of a document gives teecall what it does not take."""
    for part in re.split(r"\||\$\(|&&", line):
        words = shlex.split(part.strip().rstrip(')"'), comments=True)
        if words[:1] == ["teecall"]:
            group = VerbGroup()
            verb = group.get_command(click.Context(group), words[1])
            assert verb is not None, f"teecall has no verb {words[1]}"
            context = verb.make_context(words[1], words[2:])
            if isinstance(verb, click.Group):
                name, below, rest = verb.resolve_command(context, words[2:])
                assert below is not None
                below.make_context(name, rest, parent=context)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_documents_exist(path: Path) -> None:
    for line in lines_of(path):
        check_line(line)


def test_every_section_of_the_guide_is_checked() -> None:
    assert len(list(lines_of(ROOT / "docs" / "guide.md"))) > 15


@pytest.mark.parametrize("line", ["teecall nope", "teecall smoke --nope", "x | teecall boot --no"])
def test_the_check_finds_what_is_not_there(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        check_line(line)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_reference_is_current(tmp_path: Path) -> None:
    # A process of its own: click keeps the help option of whichever context asked first.
    subprocess.run([sys.executable, "-m", "harness.reference", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    found = {path.name: path.read_text() for path in (ROOT / "docs" / "reference").iterdir()}
    assert found == made, "run `python -m harness.reference docs/reference`"


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for below in command.list_commands(context):
        found = command.get_command(context, below)
        assert found is not None
        yield from leaves(found, f"{name} {below}")


def test_every_verb_takes_json() -> None:
    without = [
        name
        for name, command in leaves(teecall, "teecall")
        if not any("--json" in option.opts for option in command.params)
    ]
    assert not without


def test_json_on_stdout_is_all_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "explain", "machine.harts", "--json", "-"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["key"] == "machine.harts"
    assert "machine.harts" in told.err


def test_an_error_is_a_document_too(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    assert run(["config", "explain", "machine.hart", "--json", str(target)]) == 2
    found = json.loads(target.read_text())
    assert found["exit_code"] == 2
    assert "machine.harts" in found["error"]["remedy"]


def test_json_does_not_overwrite_a_log(tmp_path: Path) -> None:
    log = tmp_path / "boot.log"
    log.write_text("OpenSBI\n")
    assert run(["parse", "--json", str(log), str(log)]) == 2
    assert log.read_text() == "OpenSBI\n"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("teecall smo", "smoke"),
        ("teecall run int", "interrupt-sweep"),
        ("teecall smoke --set machine.h", "machine.harts="),
    ],
)
def test_completion(words: str, wanted: str) -> None:
    count = len(words.split()) - 1
    asked = {"_TEECALL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    done = subprocess.run(
        [sys.executable, "-c", "from harness.cli.main import main; main()"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
    )
    assert f"plain,{wanted}" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_TEECALL_COMPLETE" in capsys.readouterr().out


def test_help_has_summaries_and_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out
    assert "..." not in told.partition("Verbs:")[2]
    for name in ("TEECALL_CACHE", "TEECALL_HISTORY", "TEECALL_STORE", "NO_COLOR"):
        assert name in told


@pytest.mark.parametrize("verb", [*_verb_files()])
def test_every_verb_has_an_example(verb: str) -> None:
    command = teecall.get_command(click.Context(teecall), verb)
    assert command is not None
    assert f"teecall {verb}" in (command.help or "")


@pytest.mark.parametrize(
    ("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_escapes_on_a_terminal(variable: dict[str, str], coloured: bool) -> None:
    command = [sys.executable, "-m", "harness", "smoke", "--set", "machine.harts=9"]
    base = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    child = pexpect.spawn(
        shlex.join(command), env={**base, "TERM": "xterm", **variable}, encoding="utf-8"
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2
    assert ("\x1b" in (child.before or "")) is coloured
