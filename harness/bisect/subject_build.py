# SPDX-License-Identifier: Apache-2.0
"""Build one candidate: from the store where it can be, OpenSBI in a kept work tree."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import resources
from harness.bisect.worktree import KeptOpenSbiRecipe
from harness.build.artefacts import Artefacts
from harness.build.builder import Builder
from harness.build.recipe import WrongTree
from harness.config.schema import Config
from harness.config.settings import assignments
from harness.errors import BuildError
from harness.files import sha256_of
from harness.sources.resolve import Sources
from harness.ui import Ui

# What the machine reads. The ELF files beside it only have symbols, which name lines of source.
_BOOTED = (
    "opensbi_bin",
    "tsm_elf",
    "tsm2_elf",
    "kernel_image",
    "initrd",
    "hello_elf",
    "dt_overlay",
    "covh_ko",
    "tvm_tool",
)
# Settings that say what the files are made from; the files' hashes say what came of it. The
# emulator's hash stands for its path.
_MADE_FROM = re.compile(
    r"(\w+\.(source|overlay|abi|files|flags)|opensbi\.version|tsm\.elf|host\.(kernel|initrd)"
    r"|tvm\.payload|qemu\.binary|build\.\w+)="
)
# What scenarios build for themselves is made from these, beside what the machine boots from: guests
# with their kernels, and payloads.
_BUILT_LATER = (
    "abi",
    "audit",
    "busybox",
    "covi",
    "launch",
    "linux",
    "sweep",
    "tvm",
)


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


def build(
    config: Config,
    ui: Ui,
    *,
    offline: bool = False,
    cache: Path | None = None,
    at_once: int = 1,
) -> BuiltCandidate:
    """Build a configuration that has a candidate's settings.

    What is in the store is not built again; OpenSBI is built in a work tree that is kept.

    Args:
        config: with `Subject.settings` in it.
        ui: is told the progress.
        offline: never touch the network.
        cache: where the kept work trees are; None for the usual cache.
        at_once: how many builds of the same history go on at once.

    Returns:
        What was built. A component that does not build, or is not in this commit, is no exception
        but an `error`: the commit cannot be tested.

    Raises:
        ConfigError: the configuration is wrong at every commit.
        InfraError: a source, a tool or disk space is missing.
    """
    begun = time.monotonic()
    slots = (cache or resources.cache_dir()) / "bisect" / "slots"
    recipe = KeptOpenSbiRecipe(slots, at_once)
    # A recipe that comes later takes the place of the one with its name.
    builder = Builder(config, ui, offline=offline, extra=[recipe])
    try:
        outcome = builder.run()
    except BuildError as error:
        return BuiltCandidate(None, error=error, seconds=time.monotonic() - begun)
    except WrongTree as error:
        lacking = BuildError(error.message, error.remedy, details=error.details)
        return BuiltCandidate(None, error=lacking, seconds=time.monotonic() - begun)
    keys = {name: step.key.digest for name, step in builder.plan().items()}
    return BuiltCandidate(
        outcome.artefacts,
        keys,
        identity_of(config, outcome.artefacts, builder.sources),
        seconds=time.monotonic() - begun,
        built=outcome.built,
    )


def identity_of(config: Config, artefacts: Artefacts, sources: Sources) -> str:
    """Hash what a run depends on: the files it boots from, the emulator, what it builds, settings.

    A setting that names a file stands for the file's content, which may be another one later.
    """
    files = {
        name: sha256_of(path)
        for name in _BOOTED
        if isinstance(path := getattr(artefacts, name), Path) and path.is_file()
    }
    program = shutil.which(config.qemu.binary)
    emulator = sha256_of(Path(program)) if program else config.qemu.binary
    more = [sha256_of(path) for path in artefacts.initrd_more]
    later = [sources.identify(name).id for name in _BUILT_LATER]
    kept = [_content(text) for text in assignments(config) if not _MADE_FROM.match(text)]
    state = json.dumps([files, more, emulator, later, list(config.tvm.flags), kept], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()


def _content(setting: str) -> str:
    key, _, value = setting.partition("=")
    path = Path(value)
    return f"{key}={sha256_of(path)}" if path.is_absolute() and path.is_file() else setting
