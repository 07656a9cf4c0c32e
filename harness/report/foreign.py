# SPDX-License-Identifier: Apache-2.0
"""JUnit XML that other tools have written, as runs for the history.

The file is somebody else's: documents that declare a type or entities are refused before anything
of them is expanded, so that neither a bomb of entities nor a file of this workstation comes in.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as Xml
from xml.parsers import expat

from harness.errors import UsageError
from harness.report.record import CheckRecord, FailureRecord, RunRecord
from harness.signature.text import normalised
from harness.verdict import Verdict, worst

_LARGEST_BYTES = 64 << 20
_FAIL = Verdict.FAIL
_VERDICTS = {str(verdict): verdict for verdict in Verdict}


class _Refused(Exception):
    """The document has what is not needed and can do harm."""


def read_junit(path: Path) -> list[RunRecord]:
    """Read a file of JUnit XML: every test suite is a run, every test case one of its checks.

    Args:
        path: the file.

    Raises:
        UsageError: it cannot be read, or is no JUnit XML.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UsageError(f"{path} is larger than {_LARGEST_BYTES >> 20} MiB", "split it")
        content = path.read_bytes()
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a JUnit file") from error
    try:
        root = _parsed(content)
    except (_Refused, expat.ExpatError, Xml.ParseError, ValueError, LookupError) as error:
        raise UsageError(f"{path} is no JUnit XML: {error}", "name a JUnit file") from error
    suites = [root] if root.tag == "testsuite" else list(root.iter("testsuite"))
    if root.tag not in ("testsuite", "testsuites"):
        raise UsageError(f"{path} is no JUnit XML: its root is <{root.tag}>", "name a JUnit file")
    # A suite that only holds others is no run.
    held = [suite for suite in suites if suite.find("testcase") is not None]
    return [_run(suite, name, written) for name, suite in zip(_names(held), held, strict=True)]


def _names(suites: list[Xml.Element]) -> Iterator[str]:
    """Give the suites' names, made different where they are not."""
    seen: dict[str, int] = {}
    for suite in suites:
        name = suite.get("name") or "testsuite"
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name} #{seen[name]}"


def _parsed(content: bytes) -> Xml.Element:
    builder = Xml.TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> int:
        raise _Refused("it declares a document type or entities")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: builder.start(tag, attributes)
    parser.EndElementHandler = lambda tag: builder.end(tag)
    parser.CharacterDataHandler = builder.data
    parser.Parse(content, True)
    return builder.close()


def _run(suite: Xml.Element, name: str, written: str) -> RunRecord:
    cases = suite.findall("testcase")
    checks = tuple(_check(case) for case in cases)
    failures = tuple(_failures(cases))
    verdict = worst(check.verdict for check in checks)
    if verdict is Verdict.SKIP and any(check.verdict is Verdict.PASS for check in checks):
        verdict = Verdict.PASS
    first = failures[0] if failures else None
    started = suite.get("timestamp") or written
    return RunRecord(
        dt=started,
        id=hashlib.sha256(f"junit {name}".encode()).hexdigest()[:12],
        label=name,
        scenario=name,
        verdict=verdict,
        exit_code=verdict.exit_code,
        started=started,
        duration_s=_seconds(suite.get("time")),
        signature=f"{verdict} {first.check}: {normalised(first.message)}" if first else None,
        title=f"{first.check}: {first.message}" if first else None,
        checks=checks,
        failures=failures,
        node=suite.get("hostname") or "",
    )


def _check(case: Xml.Element) -> CheckRecord:
    verdict, message = Verdict.PASS, ""
    for tag, meant in (("skipped", Verdict.SKIP), ("failure", _FAIL), ("error", _FAIL)):
        found = case.find(tag)
        if found is not None:
            # What teecall itself has written says more.
            verdict = _VERDICTS.get(found.get("type") or "", meant)
            message = found.get("message") or ""
    name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
    seconds = _seconds(case.get("time"))
    return CheckRecord(name=name, verdict=verdict, detail=message, duration_s=seconds)


def _failures(cases: list[Xml.Element]) -> Iterator[FailureRecord]:
    for case in cases:
        for found in (case.find("failure"), case.find("error")):
            if found is not None:
                details = tuple((found.text or "").strip().splitlines())
                message = found.get("message") or (details[0] if details else found.tag)
                check = _check(case).name
                yield FailureRecord(check=check, message=message, details=details)


def _seconds(text: str | None) -> float:
    try:
        # Some tools group the digits of thousands.
        seconds = float((text or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds >= 0 else 0.0
