# SPDX-License-Identifier: Apache-2.0
"""JUnit XML of a night, in the dialect that GitHub, GitLab and Jenkins read.

A run is a test suite and each of its checks a test case. FAIL and TIMEOUT are a `<failure>`: what
is under test is wrong. CRASH, HANG and INFRA are an `<error>`: the run could not be judged to its
end. What is quarantined is a skipped test whose message has the reason and the address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree as Xml

from harness.machine.deaths import clean
from harness.report.record import CheckRecord, FailureRecord, Night, NotRunRecord, RunRecord
from harness.verdict import Verdict

_ERRORS = (Verdict.CRASH, Verdict.HANG, Verdict.INFRA)
_FAILURES = (Verdict.FAIL, Verdict.TIMEOUT)
_TAIL_BYTES = 4096
_CONSOLES = ("uart.log", "tsm.log", "qemu.stderr")
# XML 1.0 has no way to write these, not even as references.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Tail = Callable[[RunRecord], str]


def junit(night: Night, tail: Tail | None = None) -> str:
    """Return the XML document.

    Args:
        night: the runs.
        tail: returns the last console output of a run; by default it is read from its evidence.
    """
    root = Xml.Element("testsuites", name=f"teecall {night.begin.night}")
    tail = tail or (lambda run: console_tail(night.folder, run))
    suites = [_suite(run, tail) for run in night.runs]
    suites += [_not_run(record) for record in night.not_run]
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(run.duration_s for run in night.runs):.3f}")
    root.extend(suites)
    Xml.indent(root)
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n" + Xml.tostring(root, encoding="unicode") + "\n"
    )


def console_tail(night: Path, run: RunRecord) -> str:
    """Return the last lines of the consoles of a run, as far as they are still there."""
    if run.evidence is None:
        return ""
    folder = night / run.evidence
    parts = [(name, _end_of(folder / name)) for name in _CONSOLES]
    return "\n".join(f"== {name}\n{text}" for name, text in parts if text)


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            return clean(file.read()).decode(errors="replace").strip()
    except OSError:
        return ""


def _suite(run: RunRecord, tail: Tail) -> Xml.Element:
    cases = [_case(run, check) for check in run.checks] or [_case(run, _whole(run))]
    suite = Xml.Element("testsuite", name=_text(run.label), timestamp=run.started)
    suite.set("hostname", run.node)
    suite.set("time", f"{run.duration_s:.3f}")
    _count(suite, cases)
    _properties(suite, run)
    suite.extend(cases)
    if run.verdict not in (Verdict.PASS, Verdict.SKIP):
        Xml.SubElement(suite, "system-out").text = _text(tail(run))
    return suite


def _whole(run: RunRecord) -> CheckRecord:
    """Return the one check of a run that came to none."""
    message = run.failures[0].message if run.failures else ""
    verdict = run.verdict if run.verdict is not None else Verdict.INFRA
    return CheckRecord(name="run", verdict=verdict, detail=message, duration_s=run.duration_s)


def _case(run: RunRecord, check: CheckRecord) -> Xml.Element:
    case = Xml.Element("testcase", classname=_text(f"{run.scenario}.{run.label}"))
    case.set("name", _text(check.name))
    case.set("time", f"{check.duration_s:.3f}")
    outcome = _outcome(run, check)
    if outcome is not None:
        case.append(outcome)
    return case


def _outcome(run: RunRecord, check: CheckRecord) -> Xml.Element | None:
    if check.verdict is Verdict.PASS:
        return None
    bad = check.verdict in (*_ERRORS, *_FAILURES)
    if bad and run.quarantine is not None:
        why = f"quarantined: {run.quarantine.reason} ({run.quarantine.url})"
        return Xml.Element("skipped", message=_text(f"{why}; {check.verdict}: {check.detail}"))
    if not bad:
        return Xml.Element("skipped", message=_text(check.detail))
    kind = "error" if check.verdict in _ERRORS else "failure"
    outcome = Xml.Element(kind, message=_text(check.detail), type=str(check.verdict))
    outcome.text = _text("\n".join(_told(run, check)))
    return outcome


def _told(run: RunRecord, check: CheckRecord) -> Iterable[str]:
    if run.signature:
        yield f"signature: {run.signature}"
    for failure in run.failures:
        if failure.check == check.name:
            yield from failure_lines(failure)
    if run.command:
        yield f"repeat: {run.command}"


def failure_lines(failure: FailureRecord) -> list[str]:
    """Return what is known about a failure, as lines."""
    lines = [*failure.details, *(f"where: {line}" for line in failure.where)]
    lines += [f"open: {failure.open}"] if failure.open else []
    return lines + ([f"remedy: {failure.remedy}"] if failure.remedy else [])


def _not_run(record: NotRunRecord) -> Xml.Element:
    suite = Xml.Element("testsuite", name=_text(record.label))
    case = Xml.Element("testcase", classname=_text(f"{record.scenario}.{record.label}"), name="run")
    case.append(Xml.Element("skipped", message=_text(f"not run: {record.why}")))
    _count(suite, [case])
    suite.append(case)
    return suite


def _properties(suite: Xml.Element, run: RunRecord) -> None:
    told = {f"version.{name}": text for name, text in run.versions.items()}
    told |= {f"artefact.{name}": text for name, text in run.artefacts.items()}
    told |= {f"axis.{name}": text for name, text in run.axes.items()}
    told |= {"verdict": str(run.verdict or "ERROR"), "cell": run.id, "command": run.command}
    if run.signature:
        told["signature"] = run.signature
    properties = Xml.SubElement(suite, "properties")
    for name, text in told.items():
        Xml.SubElement(properties, "property", name=_text(name), value=_text(text))


def _count(suite: Xml.Element, cases: list[Xml.Element]) -> None:
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
