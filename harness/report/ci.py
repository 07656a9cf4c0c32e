# SPDX-License-Identifier: Apache-2.0
"""What CI systems want to hear beside the report files: annotations, summaries, sections.

GitHub reads workflow commands from standard output and a Markdown summary from a file; GitLab
folds its job log by section markers, and takes JUnit XML as an artifact.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from harness.report.markdown import kinds, markdown
from harness.report.record import Night, RunRecord
from harness.verdict import Verdict

# GitHub shows ten annotations of a kind for each step.
_ANNOTATIONS = 10

Say = Callable[[str], object]


def system(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the CI system that this process runs in: "github", "gitlab" or None."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return "github"
    if environment.get("GITLAB_CI") == "true":
        return "gitlab"
    return None


def annotation_lines(night: Night) -> Iterator[str]:
    """Give a workflow command of GitHub's for each kind of failure."""
    for signature, runs in kinds(night)[:_ANNOTATIONS]:
        yield _annotation(signature, runs)


def _annotation(signature: str, runs: list[RunRecord]) -> str:
    first = runs[0]
    quarantined = all(run.quarantine for run in runs)
    level = "warning" if quarantined or first.verdict is Verdict.INFRA else "error"
    title = f"{first.verdict or 'ERROR'}: {first.title or signature}"
    place = next((found for found in first.failures if found.file), None)
    where = {"file": place.file, "line": str(place.line or 1)} if place and place.file else {}
    words = {**where, "title": title}
    told = ",".join(f"{name}={_property(text)}" for name, text in words.items())
    labels = ", ".join(run.label for run in runs[:5]) + (", …" if len(runs) > 5 else "")
    message = f"{len(runs)} of the runs: {labels}"
    if first.failures:
        message += f"\n{first.failures[0].check}: {first.failures[0].message}"
    return f"::{level} {told}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def tell(night: Night, say: Say, environment: Mapping[str, str] = os.environ) -> None:
    """Tell the CI system, if there is one, what came of a night.

    Args:
        night: it has ended.
        say: prints a line on standard output.
        environment: of this process.
    """
    if system(environment) != "github":
        return
    for line in annotation_lines(night):
        say(line)
    place = environment.get("GITHUB_STEP_SUMMARY")
    if place:
        # The summary is an extra: a runner without the file must not change the verdict.
        with contextlib.suppress(OSError), Path(place).open("a", encoding="utf-8") as file:
            file.write(markdown(night))


@contextlib.contextmanager
def section(name: str, say: Say, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Fold what is printed inside the `with` block, where the CI system can.

    Args:
        name: the header.
        say: prints a line on standard output.
        environment: of this process.
    """
    kind = system(environment)
    key = re.sub(r"\W+", "_", name)
    if kind == "github":
        say(f"::group::{_data(name)}")
    elif kind == "gitlab":
        say(f"\x1b[0Ksection_start:{int(time.time())}:{key}[collapsed=true]\r\x1b[0K{name}")
    try:
        yield
    finally:
        if kind == "github":
            say("::endgroup::")
        elif kind == "gitlab":
            say(f"\x1b[0Ksection_end:{int(time.time())}:{key}\r\x1b[0K")
