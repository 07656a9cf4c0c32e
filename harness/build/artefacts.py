# SPDX-License-Identifier: Apache-2.0
"""What a build hands to the machine: the files it boots from and what they were made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Artefacts:
    """The files of one build.

    `vmlinux` and `covh_ko` are None only when the user boots an Image and an initramfs of their
    own (`host.kernel` and `host.initrd`), of which teecall has neither symbols nor driver.
    With `is_payload` the `kernel_image` is a payload of the user's, an ELF file or a flat binary,
    and there is no host: no initramfs, no tool, no guest.
    `tsm2_elf` is None on a machine with one TSM domain. `initrd_more` are archives that the host's
    initramfs goes on with, in a run that adds files to it.
    `versions` names every source as it was used: `{"opensbi": "1.6 (tree 0c7b4d39ddbb)", ...}`.
    """

    opensbi_bin: Path
    opensbi_elf: Path
    tsm_elf: Path
    kernel_image: Path
    vmlinux: Path | None
    covh_ko: Path | None
    tvm_tool: Path
    initrd: Path
    hello_elf: Path
    dt_overlay: Path
    tsm2_elf: Path | None = None
    initrd_more: tuple[Path, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    is_payload: bool = False

    @property
    def tsm_elfs(self) -> tuple[Path, ...]:
        """The TSM of each domain, by SDID."""
        return (self.tsm_elf,) if self.tsm2_elf is None else (self.tsm_elf, self.tsm2_elf)
