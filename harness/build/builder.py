# SPDX-License-Identifier: Apache-2.0
"""Plan a build, fetch what it lacks, run the recipes, and name the files.

The way through when nothing is to be done is short on purpose: identities, keys, one stat per
file. Whatever else a build needs is imported and run only when an artefact is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness import resources
from harness.build.artefacts import Artefacts
from harness.build.firmware import OpenSbiRecipe, OverlayRecipe, SecondTsmRecipe, TsmRecipe
from harness.build.given import check_given
from harness.build.kernel import (
    IMAGE,
    CovhRecipe,
    KernelRecipe,
    UserKernelCovhRecipe,
    user_kernel,
)
from harness.build.recipe import Bench, Facts, Inputs, Recipe
from harness.build.referenced import file_of, given, missing_recipes, named_kernel
from harness.build.store import Key, Store, key_of
from harness.build.userland import (
    GuestsRecipe,
    InitramfsRecipe,
    KvmToolRecipe,
    TvmToolRecipe,
    UserKernelInitramfsRecipe,
)
from harness.config.kernels import DEBIAN
from harness.config.schema import Config
from harness.errors import BuildError, Cancelled, ConfigError, TeecallError
from harness.files import scratch
from harness.locks import worker_pool
from harness.sources.resolve import Sources
from harness.tools import VersionCache, require
from harness.ui import Ui

if TYPE_CHECKING:
    from concurrent.futures import Future

    from harness.build.jobs import Tools
    from harness.build.share import Share

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a build did: its files, and which components it made or found.

    `places` has the folder of each component by its recipe's name.
    """

    artefacts: Artefacts
    built: tuple[str, ...]
    present: tuple[str, ...]
    places: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Step:
    """A recipe with its inputs and the key they give."""

    recipe: Recipe
    inputs: Inputs
    key: Key


def build_all(config: Config, ui: Ui, *, offline: bool = False) -> Artefacts:
    """Build what is missing and return the files of the machine.

    Args:
        config: what to build.
        ui: is told the progress.
        offline: never touch the network.

    Raises:
        SourceError: a source cannot be had.
        BuildError: a component does not build.
        InfraError: a tool is missing or the disk is full.
    """
    return Builder(config, ui, offline=offline).run().artefacts


class Builder:
    """The build of one configuration.

    Args:
        config: what to build.
        ui: is told the progress.
        offline: never touch the network.
        full_check: hash every file of the store that is used.
        extra: recipes beside those of the machine, which only some verbs need, or in the place of
            one with the same name.
    """

    def __init__(
        self,
        config: Config,
        ui: Ui,
        *,
        offline: bool = False,
        full_check: bool = False,
        extra: Sequence[Recipe] = (),
    ) -> None:
        self._config = config
        self._extra = tuple(extra)
        self._ui = ui
        self._full_check = full_check
        self._cache = resources.cache_dir()
        self._store = Store(self._cache)
        offline = offline or bool(os.environ.get("TEECALL_OFFLINE"))
        self._share = _share(ui, offline)
        self.sources = Sources(config, ui, offline=offline, cache=self._cache)
        self._planned: dict[str, Step] | None = None

    def run(self) -> Outcome:
        """Build what is missing."""
        # Who has shown the sources has planned just now; what they are is asked once.
        plan = self._planned or self.plan()
        missing = self._fetched(self._missing(plan))
        if missing:
            for step in missing.values():
                for program in step.recipe.programs:
                    require(program)
            wanted = {name for step in missing.values() for name in step.recipe.sources}
            self._in_parallel(sorted(wanted), self.sources.materialise)
            # A source may have been replaced by a newer one of its series.
            plan = self.plan()
            missing = self._missing(plan)
            self._build(plan, missing)
        if self._share is not None:
            for step in plan.values():
                self._share.offer(step.key, self._store.place(step.key))
        places = {name: self._store.place(step.key) for name, step in plan.items()}
        present = tuple(name for name in plan if name not in missing)
        return Outcome(self._artefacts(places), tuple(missing), present, places)

    def missing(self) -> list[str]:
        """Return the names of what `run` would have to fetch or build.

        Raises:
            ConfigError: a file or folder that the configuration names will not do.
        """
        return list(self._missing(self._planned or self.plan()))

    def plan(self) -> dict[str, Step]:
        """Return the recipes of this configuration in an order that can be built.

        Raises:
            ConfigError: a file or folder that the configuration names will not do.
        """
        check_given(self._config)
        plan: dict[str, Step] = {}
        facts = Facts(
            self._config, self.sources, self._compiler, lambda name: plan[name].key.digest
        )
        for recipe in self._recipes():
            inputs = {"revision": recipe.revision, **recipe.inputs(facts)}
            plan[recipe.name] = Step(recipe, inputs, key_of(recipe.name, inputs))
        self._planned = plan
        return plan

    def _recipes(self) -> list[Recipe]:
        config = self._config
        recipes: list[Recipe] = [OpenSbiRecipe(), OverlayRecipe()]
        recipes += [TvmToolRecipe(), KvmToolRecipe(), GuestsRecipe()]
        kernel, initrd = given(config, "host.kernel"), given(config, "host.initrd")
        build = user_kernel(kernel)[1] if kernel else None
        if not config.tsm.elf:
            recipes.append(TsmRecipe())
        if config.tsm.domains > 1 and not config.tsm.second_elf:
            recipes.append(SecondTsmRecipe())
        stock = named_kernel(config, "host.kernel") == DEBIAN
        if stock:
            from harness.build import debian

            recipes += debian.host_recipes(initramfs=not initrd)
        elif not kernel:
            recipes += [KernelRecipe(), CovhRecipe()]
        elif build:
            recipes.append(UserKernelCovhRecipe(build))
        elif not initrd:
            raise ConfigError(
                f"host.kernel: {kernel} has no build folder to build the driver in",
                "name the O= folder of its build, or give an initramfs with the driver in it by "
                "host.initrd",
            )
        if not initrd and not stock:
            recipes.append(InitramfsRecipe() if not build else UserKernelInitramfsRecipe(build))
        # One that is given takes the place of the machine's own; others need what it makes.
        more = {recipe.name: recipe for recipe in self._extra}
        recipes = [more.pop(recipe.name, recipe) for recipe in recipes]
        recipes += more.values()
        return [*recipes, *missing_recipes(config, recipes)]

    @cached_property
    def _compiler(self) -> str:
        """Identify the cross tools: another compiler makes other artefacts."""
        cross = self._config.build.cross_compile
        versions = VersionCache(self._cache / "stat" / "tools.json")
        return " / ".join(
            versions.line(f"{cross}{name}", "build.cross_compile") for name in ("gcc", "ld")
        )

    def _missing(self, plan: dict[str, Step]) -> dict[str, Step]:
        missing = {}
        for name, step in plan.items():
            if self._store.find(step.key, self._full_check) is None:
                if self._store.place(step.key).exists():
                    self._ui.note(f"{step.key.short} is damaged in the store; it is built anew")
                    self._store.drop(step.key)
                missing[name] = step
        return missing

    def _fetched(self, missing: dict[str, Step]) -> dict[str, Step]:
        """Fetch what others have built already; return what is missing all the same."""
        share = self._share
        if share is None or not missing:
            return missing

        def fetch(name: str) -> bool:
            self._ui.start(name, f"fetching from {share.url}")
            found = share.fetch(missing[name].key, self._store)
            self._ui.done(name, "fetched" if found else "is not there")
            return found

        found = self._in_parallel(list(missing), fetch)
        return {name: step for name, step in missing.items() if not found[name]}

    def _build(self, plan: dict[str, Step], missing: dict[str, Step]) -> None:
        from harness.build.jobs import Jobserver, Tools

        jobserver = Jobserver(self._config.build.jobs or len(os.sched_getaffinity(0)))
        tools = Tools(jobserver)
        finished: dict[str, Future[None]] = {}

        def work(name: str) -> None:
            for need in plan[name].recipe.needs:
                if need in finished:
                    finished[need].result()
            try:
                self._make(plan, name, tools)
            except BaseException:
                tools.stop()
                raise

        try:
            self._schedule(missing, work, finished, tools)
        finally:
            jobserver.close()

    @staticmethod
    def _schedule(
        names: Iterable[str],
        work: Callable[[str], None],
        finished: dict[str, Future[None]],
        tools: Tools,
    ) -> None:
        """Run recipes at once; each waits for those it needs, which come before it."""
        names = list(names)
        with worker_pool(len(names)) as pool:
            for name in names:
                finished[name] = pool.submit(work, name)
            try:
                _raise_first(finished.values())
            except BaseException:
                tools.stop()
                raise

    def _in_parallel(self, names: list[str], work: Callable[[str], T]) -> dict[str, T]:
        with worker_pool(len(names)) as pool:
            futures = [pool.submit(work, name) for name in names]
            _raise_first(futures)
        return {name: future.result() for name, future in zip(names, futures, strict=True)}

    def _make(self, plan: dict[str, Step], name: str, tools: Tools) -> None:
        step = plan[name]
        log = self._store.log(step.key)
        self._ui.start(name, "building")
        try:
            with self._store.build(step.key, step.inputs) as out:
                if out is not None:
                    self._work(plan, step, tools, log, out)
        except Cancelled:
            self._ui.failed(name, "stopped")
            raise
        except TeecallError as error:
            self._ui.failed(name, "FAILED")
            error.message = f"{name}: {error.message}"
            if isinstance(error, BuildError):
                error.component = name
            raise
        self._ui.done(name, "built" if out is not None else "built by another process")

    def _work(self, plan: dict[str, Step], step: Step, tools: Tools, log: Path, out: Path) -> None:
        name = step.recipe.name
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{name}: {step.inputs}\n", encoding="utf-8")
        needs = {need: self._store.place(plan[need].key) for need in step.recipe.needs}
        with scratch(self._cache / "work", name) as work:
            step.recipe.build(
                Bench(
                    config=self._config,
                    sources=self.sources,
                    needs=needs,
                    work=work,
                    out=out,
                    log=log,
                    tools=tools,
                    on_line=lambda line: self._ui.line(name, line),
                )
            )

    def _artefacts(self, places: dict[str, Path]) -> Artefacts:
        config = self._config
        image, vmlinux = self._kernel_files(places)
        return Artefacts(
            opensbi_bin=places["opensbi"] / "fw_dynamic.bin",
            opensbi_elf=places["opensbi"] / "fw_dynamic.elf",
            tsm_elf=file_of(config, "tsm.elf", places, "tsm/tsm.elf"),
            kernel_image=image,
            vmlinux=vmlinux,
            covh_ko=places["covh"] / "covh.ko" if "covh" in places else None,
            tvm_tool=places["tvm"] / "tvm",
            initrd=file_of(config, "host.initrd", places, "initramfs/initramfs.cpio"),
            hello_elf=file_of(config, "tvm.payload", places, "guests/hello.elf"),
            dt_overlay=places["overlay"] / "teecall.dtbo",
            tsm2_elf=file_of(config, "tsm.second_elf", places, "tsm2/tsm.elf")
            if config.tsm.domains > 1
            else None,
            versions=self._versions(places),
        )

    def _kernel_files(self, places: dict[str, Path]) -> tuple[Path, Path | None]:
        kernel = given(self._config, "host.kernel")
        if named_kernel(self._config, "host.kernel") == DEBIAN:
            return places["debian-kernel"] / "Image", None
        if not kernel:
            build = places["kernel"] / "build"
            return build / IMAGE, build / "vmlinux"
        image, folder = user_kernel(kernel)
        vmlinux = folder / "vmlinux" if folder else image.with_name("vmlinux")
        return image, vmlinux if vmlinux.is_file() else None

    def _versions(self, places: dict[str, Path]) -> dict[str, str]:
        names = ["opensbi", "overlay", "abi", "host", "tvm"]
        names += ["tsm", "mbedtls"] if "tsm" in places else []
        # Headers of their own are part of what a firmware is; elsewhere `abi` says it all.
        names += ["overlay-abi"] if self._config.opensbi.abi else []
        names += ["tsm-abi"] if self._config.tsm.abi and "tsm" in places else []
        names += ["linux"] if "kernel" in places else []
        names += ["debian-image"] if "debian-kernel" in places else []
        names += ["busybox"] if "initramfs" in places else []
        versions = {name: self.sources.identify(name).version for name in names}
        return {**versions, "compiler": self._compiler.partition(" / ")[0]}


def _share(ui: Ui, offline: bool) -> Share | None:
    """Return where artefacts are shared; most workstations share none and need not load how."""
    if not os.environ.get("TEECALL_STORE"):
        return None
    from harness.build.share import share_of

    return share_of(ui.note, offline)


def _raise_first(futures: Iterable[Future[T]]) -> None:
    """Wait for all; raise the first error that is a cause and not a consequence."""
    consequence: BaseException | None = None
    for future in list(futures):
        error = future.exception()
        if error is None:
            continue
        if not isinstance(error, Cancelled):
            raise error
        consequence = error
    if consequence is not None:
        raise consequence
