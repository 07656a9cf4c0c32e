# SPDX-License-Identifier: Apache-2.0
"""Errors that the user can do something about say what, wherever they are raised."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import harness
from harness import errors

ROOT = Path(harness.__file__).parent
PACKAGES = ("bisect", "cells", "cli", "gdb", "night", "report", "signature")
NAMES = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.CallerError | errors.InfraError)
}


def without_remedy(source: str) -> list[int]:
    """Return the lines that raise such an error with a message only."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id in NAMES
        and len(node.exc.args) < 2
        and not any(word.arg == "remedy" for word in node.exc.keywords)
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_errors_have_a_remedy(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        assert not without_remedy(path.read_text(encoding="utf-8")), path


def test_the_check_finds_an_error_without_one() -> None:
    assert without_remedy('raise UsageError("x")') == [1]
    assert not without_remedy('raise UsageError("x", "y")')
