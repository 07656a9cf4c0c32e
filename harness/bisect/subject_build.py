# SPDX-License-Identifier: Apache-2.0
"""Build one candidate: from the store where it can be, OpenSBI in a kept work tree."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.errors import BuildError
from harness.ui import Ui


@dataclass(frozen=True, slots=True)
class BuiltCandidate:
    """What a build of a candidate gave.

    Attributes:
        artefacts: the files of the machine; None when it does not build.
        keys: the key in the store of each component, `{"opensbi": "HEX", ...}`: equal keys are
            equal inputs. Empty when it does not build.
        identity: a hash of every file that the machine boots from and of all settings but the
            sources: two candidates with the same identity are the same machine, so a verdict of
            one is a verdict of the other (a commit that changes documentation only). Empty when
            it does not build.
        error: why it does not build: such a candidate cannot be tested.
        seconds: how long it took.
        built: the components that were not in the store.
    """

    artefacts: Artefacts | None
    keys: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    error: BuildError | None = None
    seconds: float = 0.0
    built: tuple[str, ...] = ()

    @property
    def cached(self) -> bool:
        """Whether all was in the store already."""
        return self.error is None and not self.built
