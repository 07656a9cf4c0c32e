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
    _check_payload(given(config, "tvm.payload"), config.machine.memory_mib)
    _check_initrd(given(config, "host.initrd"))
    _check_host_kernel(given(config, "host.kernel"))
    if config.tvm.kernel or config.tvm.initrd:
        # Imported here: most builds are given nothing.
        from harness.build.guest_files import check_given_guest

        check_given_guest(config)


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


def _check_host_kernel(name: str | None) -> None:
    if name:
        from harness.build.kernel import user_kernel
        from harness.machine.layout import kernel_span

        kernel_span(user_kernel(name)[0])


def _check_initrd(name: str | None) -> None:
    _check_file(name, "host.initrd")
    if name:
        from harness.build.guest_files import check_archive

        with Path(name).open("rb") as file:
            check_archive(file.read(16), Path(name), "host.initrd")


def _check_elf(name: str | None, key: str) -> None:
    _check_file(name, key)
    if name:
        # Imported here: most builds are given nothing.
        from harness.machine.layout import read_image

        image = read_image(Path(name), key)
        if not any(0 <= image.entry - part.vaddr < part.memory_size for part in image.segments):
            raise ConfigError(
                f"{key} {name}: its entry {image.entry:#x} is in no segment",
                "name the entry by ENTRY() in the linker script",
            )


def _check_payload(name: str | None, memory_mib: int) -> None:
    if name:
        from harness.machine.payload import payload_span

        payload_span(Path(name), "tvm.payload", memory_mib)
