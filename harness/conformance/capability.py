# SPDX-License-Identifier: Apache-2.0
"""What a TSM is expected to support: read from a YAML file, by default teecall's own TSM."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from harness.errors import ConfigError


class Capabilities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Choices that the documents leave to a TSM.

    `unsupported` are COVH functions that answer NOT_SUPPORTED, `page_types` the types of page that
    it takes, `aia` says that it has COVI. `isolation_entries` are those that the machine has for
    confidential ranges: one for a range that is a power of two and aligned to its size, two for
    any other; null: no limit. `fence_counts_caller` says that global_fence is the caller's own
    local_fence too. `reclaim_host` says that pages which are the host's can be reclaimed, without
    effect. `gpa_bits` is the size of the guest's physical address space.
    """

    name: str
    unsupported: tuple[str, ...] = ()
    page_types: tuple[int, ...] = (0, 1, 2)
    gpa_bits: int = 50
    aia: bool = False
    isolation_entries: int | None = None
    fence_counts_caller: bool = False
    reclaim_host: bool = False


def load(path: Path | None = None) -> Capabilities:
    """Return the capabilities in a file, None: those of teecall's TSM.

    Raises:
        ConfigError: the file cannot be read, or has an unknown key or a wrong value.
    """
    path = path or Path(__file__).with_name("teecall.yaml")
    try:
        return msgspec.convert(yaml.safe_load(path.read_text()), Capabilities)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"{path}: {error}", f"its keys are: {', '.join(Capabilities.__struct_fields__)}"
        ) from None
