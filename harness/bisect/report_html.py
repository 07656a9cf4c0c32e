# SPDX-License-Identifier: Apache-2.0
"""The report of a bisection as one page that loads nothing and runs nothing."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from harness.bisect.report import Report
from harness.bisect.report_text import headline, sureness
from harness.errors import StoreError
from harness.files import write_atomic
from harness.report.html import TEMPLATES, environment
from harness.report.html.clean import file_link

_TEMPLATE = "bisect.html.j2"
_STYLE = """
.GOOD, td.insert { background: var(--good); color: var(--good-fg); }
.BAD, td.delete { background: var(--bad); color: var(--bad-fg); }
.SKIP, .INFRA { background: var(--warn); color: var(--warn-fg); }
.beside { width: 100%; table-layout: fixed; } .beside td { vertical-align: top; padding: 0 8px; }
.answer { border: 1px solid var(--line); border-radius: 6px; padding: 4px 14px 12px; }
"""


def write_html(report: Report, out: Path) -> None:
    """Write the page.

    Args:
        report: what to tell.
        out: the file; links to evidence are relative where that is possible.

    Raises:
        StoreError, NoSpace: the file cannot be written.
    """
    page = render(report, out)
    try:
        write_atomic(out, page)
    except OSError as error:
        raise StoreError(f"cannot write {out}: {error.strerror}", "give another file") from error


def render(report: Report, out: Path) -> str:
    """Return the page; the arguments are those of `write_html`."""
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8") + _STYLE
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            report=report,
            style=Markup(css),
            headlines=[headline(report, each) for each in report.findings],
            sure=[sureness(each) if each.culprits else "" for each in report.findings],
            link=lambda folder: file_link(Path(folder), out) if folder else "",
        )
    )
