# SPDX-License-Identifier: Apache-2.0
"""What stands in the files of suites and matrices; `suite` and `matrix` give it a meaning."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

from harness.config.schema import Config, Seconds

LABEL = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
LABEL_WORDS = "a label of letters, digits and . _ + -"
Label = Annotated[str, Meta(pattern=LABEL, description=LABEL_WORDS)]
Reason = Annotated[str, Meta(min_length=1, description="the reason in words")]
Url = Annotated[str, Meta(pattern=r"^https?://\S+$", description="the http(s) URL of the report")]
Expiry = Annotated[date, Meta(description="the last day of the quarantine, as YYYY-MM-DD")]
Extends = str | tuple[str, ...]
Where = dict[str, str | tuple[str, ...]]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What one run may take."""

    run_s: Seconds = 300.0


class ScenarioEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario of a suite; `scenario` is needed when the entry has another name."""

    scenario: str | None = None
    extends: Extends = ()
    set: Config = Config()
    repeats: Annotated[int, Meta(ge=1, le=10000)] = 1
    limits: Limits = Limits()


class SuiteQuarantine(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of the suite that is known to fail: it runs, and its failure does not count."""

    scenario: str
    reason: Reason
    url: Url
    expires: Expiry


class SuiteFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A suite: scenarios by name, each with its settings. null takes an inherited one away."""

    scenarios: dict[str, ScenarioEntry | None]
    quarantine: tuple[SuiteQuarantine, ...] = ()


class Base(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of every cell of a matrix."""

    extends: Extends = ()
    set: Config = Config()


class AxisValue(Struct, frozen=True, forbid_unknown_fields=True):
    """One value of an axis: its label, and what it lays over the configuration."""

    label: Label
    extends: Extends = ()
    set: Config = Config()


class MatrixQuarantine(Struct, frozen=True, forbid_unknown_fields=True):
    """Cells of the matrix that are known to fail: they run, and their failures do not count."""

    where: Where
    reason: Reason
    url: Url
    expires: Expiry


class MatrixFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A matrix: every combination of the axes' values runs the suite.

    `exclude` takes the cells away that have all labels of one of its entries; `include` takes
    some of these back. Both know the axis `scenario`, the names of the suite's entries.
    """

    suite: str
    axes: dict[str, tuple[AxisValue, ...]]
    base: Base = Base()
    exclude: tuple[Where, ...] = ()
    include: tuple[Where, ...] = ()
    quarantine: tuple[MatrixQuarantine, ...] = ()
