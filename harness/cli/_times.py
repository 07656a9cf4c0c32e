# SPDX-License-Identifier: Apache-2.0
"""Times as they are written on the command line: 90s, 20m, 8h, 30d."""

from __future__ import annotations

import re

import click

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)


def span(text: str) -> float:
    """Read a length of time; the value is in seconds."""
    match = _FORM.fullmatch(text)
    if match is None or float(match[1]) == 0:
        raise click.BadParameter(f"{text}: write a number and a unit (s, m, h, d, w), such as 20m")
    return float(match[1]) * _UNITS[match[2]]


def shown(seconds: float) -> str:
    """Return a length of time for people."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
