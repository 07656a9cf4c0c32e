# SPDX-License-Identifier: Apache-2.0
"""The build of a machine without Linux: firmware and TSM, and a payload in the host's place."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.build.artefacts import Artefacts
from harness.build.builder import Builder
from harness.build.firmware import OpenSbiRecipe, OverlayRecipe, TsmRecipe
from harness.build.recipe import Recipe
from harness.build.referenced import file_of, missing_recipes
from harness.config.schema import Config, Host, Tvm
from harness.ui import Ui

_NONE = Path(os.devnull)


class BareBuilder(Builder):
    """Builds the firmware and the TSM only.

    Args:
        config: what to build.
        payload: what takes the host kernel's place.
        ui: is told the progress.
        offline: never touch the network.
    """

    def __init__(self, config: Config, payload: Path, ui: Ui, *, offline: bool = False) -> None:
        # What is given for a host that does not run is not looked at.
        alone = msgspec.structs.replace(config, host=Host(), tvm=Tvm())
        super().__init__(alone, ui, offline=offline)
        self._payload = payload

    def _recipes(self) -> list[Recipe]:
        recipes: list[Recipe] = [OpenSbiRecipe(), OverlayRecipe()]
        if not self._config.tsm.elf:
            recipes.append(TsmRecipe())
        return [*recipes, *missing_recipes(self._config, recipes)]

    def _artefacts(self, places: dict[str, Path]) -> Artefacts:
        return Artefacts(
            opensbi_bin=places["opensbi"] / "fw_dynamic.bin",
            opensbi_elf=places["opensbi"] / "fw_dynamic.elf",
            tsm_elf=file_of(self._config, "tsm.elf", places, "tsm/tsm.elf"),
            kernel_image=self._payload,
            vmlinux=None,
            covh_ko=None,
            tvm_tool=_NONE,
            initrd=_NONE,
            hello_elf=_NONE,
            dt_overlay=places["overlay"] / "teecall.dtbo",
            versions=self._versions(places),
            is_payload=True,
        )
