# SPDX-License-Identifier: Apache-2.0
"""The CI files that users copy: what they run exists, and takes the options they give it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from harness.cli.main import VerbGroup

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scripts" / "ci"
GITHUB, GITLAB = FOLDER / "github-workflow.yml", FOLDER / "gitlab-ci.yml"
# What the CI system puts in before a shell sees the line.
FILLED = {
    r"\$\{\{ matrix\.shard \}\}": "1",
    r"\$\{\{ strategy\.job-total \}\}": "4",
    r"\$CI_NODE_INDEX": "1",
    r"\$CI_NODE_TOTAL": "4",
    r"\$CI_PROJECT_DIR": "project",
    r"\$SETTINGS": "--set tsm.source=path:my-tsm",
}


def read(path: Path) -> dict[Any, Any]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def commands_of(path: Path) -> Iterator[list[str]]:
    """Give the words of every command line in a file."""
    for text in _scripts(read(path)):
        for line in text.splitlines():
            for pattern, value in FILLED.items():
                line = re.sub(pattern, value, line)
            assert "$" not in line, f"{path.name}: nothing is put in for a variable in {line!r}"
            for part in line.split("&&"):
                yield shlex.split(part)


def _scripts(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("run", "script", "before_script"):
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _scripts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _scripts(value)


def check_command(words: list[str]) -> None:
    """Fail when a command line of these files names something that is not there."""
    program, *rest = words
    if program == "apt-get":
        return
    if program.startswith("scripts/"):
        assert (ROOT / program).is_file() and not rest
        return
    assert program == ".venv/bin/teecall", program
    group = VerbGroup()
    verb = group.get_command(click.Context(group), rest[0])
    assert verb is not None, f"teecall has no verb {rest[0]}"
    # Parses the options, and refuses those that the verb does not have, without running it.
    verb.make_context(rest[0], rest[1:])


def verbs(path: Path) -> set[str]:
    return {words[1] for words in commands_of(path) if words[0] == ".venv/bin/teecall"}


@pytest.mark.parametrize("path", [GITHUB, GITLAB], ids=lambda path: path.name)
def test_commands_exist_and_take_their_options(path: Path) -> None:
    assert {"smoke", "nightly"} <= verbs(path)
    for words in commands_of(path):
        check_command(words)


@pytest.mark.parametrize(
    "line",
    [
        ".venv/bin/teecall no-such-verb",
        ".venv/bin/teecall smoke --no-such-option",
        "scripts/no-such-script",
        "curl http://example.org",
    ],
)
def test_the_check_finds_what_is_not_there(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        check_command(shlex.split(line))


def test_github_runs_every_shard_and_keeps_what_it_found() -> None:
    job = read(GITHUB)["jobs"]["night"]
    shards = job["strategy"]["matrix"]["shard"]
    assert shards == list(range(1, len(shards) + 1))
    assert job["strategy"]["fail-fast"] is False
    steps = {step.get("uses", "").partition("@")[0]: step for step in job["steps"]}
    upload = steps["actions/upload-artifact"]
    assert upload["if"] == "always()"
    assert upload["with"]["path"] == out_folder(GITHUB)
    cached = steps["actions/cache"]["with"]["path"].splitlines()[0]
    assert job["env"]["TEECALL_CACHE"].endswith(f"/{cached}")
    # The first key of YAML 1.1 that looks like `on` is true.
    assert set(read(GITHUB)[True]) == {"schedule", "workflow_dispatch"}
    assert read(GITHUB)["permissions"] == {"contents": "read"}


def test_gitlab_takes_the_report_also_of_a_failed_night() -> None:
    document = read(GITLAB)
    job = document["night"]
    assert job["parallel"] > 1
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["paths"] == [out_folder(GITLAB)]
    assert job["artifacts"]["reports"]["junit"] == f"{out_folder(GITLAB)}/junit.xml"
    (cached,) = job["cache"]["paths"]
    assert document["variables"]["TEECALL_CACHE"].endswith(f"/{cached}")
    assert {document[name]["stage"] for name in ("smoke", "night")} == set(document["stages"])


@pytest.mark.parametrize("path", [GITHUB, GITLAB], ids=lambda path: path.name)
def test_files_that_are_hashed_or_named_are_there(path: Path) -> None:
    for name in re.findall(r"hashFiles\('([^']+)'\)", path.read_text()):
        assert (ROOT / name).is_file()


def out_folder(path: Path) -> str:
    """Return what a file gives to `teecall nightly --out`."""
    (words,) = [words for words in commands_of(path) if "nightly" in words[1:2]]
    return words[words.index("--out") + 1]
