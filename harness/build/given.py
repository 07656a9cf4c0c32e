# SPDX-License-Identifier: Apache-2.0
"""Finished files that the configuration names, checked before anything is built around them."""

from __future__ import annotations

from pathlib import Path

from harness.build.referenced import given
from harness.config.schema import Config
from harness.errors import ConfigError


def check_given(config: Config) -> None:
    """Check every finished file that stands in for a built one.

    Raises:
        ConfigError: one is not there, cannot be read, or is not what its key needs.
    """
    _check_elf(given(config, "tsm.elf"), "tsm.elf")
    _check_elf(given(config, "tsm.second_elf"), "tsm.second_elf")
    _check_elf(given(config, "tvm.payload"), "tvm.payload")
    _check_file(given(config, "host.initrd"), "host.initrd")


def _check_file(name: str | None, key: str) -> None:
    if not name:
        return
    path = Path(name)
    if path.is_dir():
        raise ConfigError(f"{key}: {path} is a folder", f"name the file by {key}")
    try:
        with path.open("rb"):
            return
    except FileNotFoundError:
        raise ConfigError(f"{key}: {path} is not there", f"correct {key}") from None
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}", f"correct {key}") from None


def _check_elf(name: str | None, key: str) -> None:
    _check_file(name, key)
    if name:
        # Imported here: most builds are given nothing.
        from harness.machine.layout import read_image

        read_image(Path(name), key)
