# SPDX-License-Identifier: Apache-2.0
"""Machines for the suite: the fixtures of the system tests."""

from __future__ import annotations

from tests.system.conftest import scenario

__all__ = ["scenario"]
