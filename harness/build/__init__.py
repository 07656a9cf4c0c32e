# SPDX-License-Identifier: Apache-2.0
"""Recipes and the content-addressed store: `build_all(config, ui) -> Artefacts`."""

from harness.build.artefacts import Artefacts
from harness.build.builder import build_all

__all__ = ["Artefacts", "build_all"]
