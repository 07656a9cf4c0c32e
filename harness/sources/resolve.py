# SPDX-License-Identifier: Apache-2.0
"""From a component's name to verified files.

`identify` says in milliseconds what a component's content is, without network: that is all a
build needs that has nothing to do. `materialise` brings the files.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness import resources
from harness.config.schema import Config
from harness.errors import ConfigError, SourceError
from harness.files import sha256_of
from harness.sources import lock
from harness.sources.fetch import Fetcher
from harness.sources.gittree import BlobCache, tree_id, working_tree_id
from harness.sources.spec import Kind, Spec, parse
from harness.ui import Ui

LOCK_FILE = "sources.lock"
# The keys that name a source of the user's own.
_KEYS = {
    "opensbi": "opensbi.source",
    "overlay": "opensbi.overlay",
    "overlay-abi": "opensbi.abi",
    "linux": "host.source",
    "busybox": "busybox.source",
    "mbedtls": "mbedtls.source",
    "tsm": "tsm.source",
    "tsm-abi": "tsm.abi",
    "host": "host.files",
    "tvm": "tvm.source",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a component's content is.

    `id` names the content and goes into the keys of artefacts; `version` is for people.
    """

    component: str
    id: str
    version: str


class Sources:
    """The sources of one configuration.

    Args:
        config: names the user's own sources.
        ui: is told what is fetched.
        offline: never touch the network.
        cache: the folder of downloads and trees.
    """

    def __init__(
        self, config: Config, ui: Ui, *, offline: bool = False, cache: Path | None = None
    ) -> None:
        self._config = config
        self._ui = ui
        self._offline = offline
        self._cache = cache or resources.cache_dir()
        self._fetcher = Fetcher(self._cache, ui, offline)
        self._mutex = threading.Lock()
        self._known: dict[str, Identity] = {}
        self._places: dict[str, Path] = {}

    @cached_property
    def pins(self) -> dict[str, lock.Pin]:
        """The lock's content."""
        return lock.read(resources.configs() / LOCK_FILE)

    def _chosen(self, component: str) -> str | None:
        if component not in _KEYS:
            return None
        group, name = _KEYS[component].split(".")
        chosen: str | None = getattr(getattr(self._config, group), name)
        return chosen

    def spec(self, component: str) -> Spec | None:
        """Return the user's own source of a component; None when the lock or teecall has it."""
        text = self._chosen(component)
        return parse(text) if text else self._own_folder(component)

    def _own_folder(self, component: str) -> Spec | None:
        folders: dict[str, Callable[[], Path]] = {
            "overlay": lambda: resources.firmware() / "opensbi" / "tsmd",
            "abi": lambda: resources.firmware() / "abi",
            "overlay-abi": lambda: resources.firmware() / "abi",
            "tsm-abi": lambda: resources.firmware() / "abi",
            "audit": lambda: resources.firmware() / "audit",
            "covi": lambda: resources.firmware() / "covi",
            "cost": lambda: resources.firmware() / "cost",
            # Never the user's: what the TSM's own functions cost is what a TSM is judged by.
            "tsm-parts": lambda: resources.firmware() / "tsm",
            "bench": lambda: resources.firmware() / "bench",
            "launch": lambda: resources.firmware() / "launch",
            "sweep": lambda: resources.firmware() / "sweep",
            "tsm": lambda: resources.firmware() / "tsm",
            "host": lambda: resources.guest_images() / "host",
            "tvm": lambda: resources.guest_images() / "tvm",
            "dt": lambda: resources.configs() / "dt",
        }
        return Spec(Kind.PATH, str(folders[component]())) if component in folders else None

    def pin(self, component: str) -> lock.Pin:
        """Return what the lock says about a component, or what stands in for it.

        Raises:
            ConfigError: the lock has no such component or version.
        """
        name = f"opensbi-{self._config.opensbi.version}" if component == "opensbi" else component
        if name not in self.pins:
            have = ", ".join(pin for pin in self.pins if pin.startswith(component))
            raise ConfigError(
                f"no pinned source '{name}'",
                f"choose one of {have}, or set {_KEYS.get(component, component)} to one of yours",
            )
        return self.pins[name]

    def identify(self, component: str) -> Identity:
        """Return the identity of a component's content, without network where it can."""
        with self._mutex:
            if component not in self._known:
                self._known[component] = self._identify(component)
            return self._known[component]

    def _identify(self, component: str) -> Identity:
        spec = self.spec(component)
        if spec is None:
            return self._identify_pin(component)
        if spec.kind is Kind.PATH:
            return self._identify_path(component, Path(spec.location))
        if spec.kind is Kind.GIT:
            from harness.sources.git import Repository

            found = Repository(spec, self._cache).tree(self._offline)
            return Identity(component, f"tree-{found}", f"{spec} (tree {found[:12]})")
        if spec.kind is Kind.URL and not spec.detail:
            raise ConfigError(
                f"'{spec}' has no hash", "append #sha256=HEX, as `sha256sum` prints it"
            )
        if spec.kind is Kind.URL:
            return Identity(component, f"sha256-{spec.detail}", str(spec))
        if spec.kind is Kind.POOL:
            raise ConfigError(
                f"'{spec}' is a source of the lock, where its hash stands",
                "write apt:NAME=VERSION, which the archive's signature vouches for",
            )
        # The archive's signature vouches for the content of a version.
        digest = hashlib.sha256(str(spec).encode()).hexdigest()
        return Identity(component, f"apt-{digest[:40]}", str(spec))

    def _identify_pin(self, component: str) -> Identity:
        pin = self.pin(component)
        stand_in = self._fetcher.substitute(pin)
        if stand_in is None:
            return Identity(component, pin.identity, _describe(pin))
        self._ui.note(_substituted(pin, stand_in))
        return Identity(
            component, stand_in.identity, f"{stand_in.version} (instead of {pin.version})"
        )

    def _identify_path(self, component: str, path: Path) -> Identity:
        if path.is_file():
            digest = sha256_of(path)
            return Identity(component, f"sha256-{digest}", f"{path.name} (sha256 {digest[:12]})")
        if not path.is_dir():
            raise ConfigError(
                f"{component}: {path} is not there",
                f"check {_KEYS.get(component, component)}, a folder",
            )
        found = working_tree_id(path, self._stat_cache(path))
        own = self._chosen(component) is None
        version = f"tree {found[:12]}" if own else f"path:{path} (tree {found[:12]})"
        return Identity(component, f"tree-{found}", version)

    def _stat_cache(self, path: Path) -> BlobCache:
        name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
        return BlobCache.open(self._cache / "stat" / f"{name}.json")

    def part(self, component: str, *names: str) -> str:
        """Return the tree id of one folder or file inside a small component.

        A recipe that reads only a part is not repeated when the rest changes.
        """
        path = self.materialise(component).joinpath(*names)
        if path.is_dir():
            known = self._stat_cache(path)
            return f"tree-{tree_id(path, skip={'build', '__pycache__'}, cache=known)}"
        if not path.is_file():
            kind = ConfigError if self._chosen(component) else SourceError
            raise kind(
                f"{component}: {path} is not there", "restore it, or correct the source's folder"
            )
        return f"sha256-{sha256_of(path)}"

    def materialise(self, component: str) -> Path:
        """Return the folder of a component's files, fetching them when they are not here.

        The identity may change by this, when the mirror no longer has the pinned version.

        Raises:
            SourceError: no origin has the content that is wanted.
        """
        spec = self.spec(component)
        if spec is not None and spec.kind is Kind.PATH and Path(spec.location).is_dir():
            return Path(spec.location)
        if component not in self._places:
            self._places[component] = self._bring(component, spec)
        return self._places[component]

    def _bring(self, component: str, spec: Spec | None) -> Path:
        identity = self.identify(component)
        if spec is None:
            place, used = self._fetcher.pinned(component, self.pin(component))
            if used.identity != identity.id:
                with self._mutex:
                    self._known[component] = self._identify_pin(component)
            return place
        if spec.kind is Kind.GIT:
            return self._fetcher.commit(component, spec, identity.id)
        pin = lock.Pin(component, spec.detail, (str(spec),))
        if identity.id.startswith("sha256-"):
            pin = replace(pin, sha256=identity.id.removeprefix("sha256-"))
        try:
            return self._fetcher.archive(component, pin, spec, identity.id)
        except SourceError as error:
            if spec.kind is not Kind.PATH:
                raise
            # A file of the user's: nothing but the user can mend it.
            key = _KEYS.get(component, component)
            message = f"{key}: {error.message}"
            raise ConfigError(message, error.remedy, details=error.details) from None


def _describe(pin: lock.Pin) -> str:
    return f"{pin.version} (tree {pin.tree[:12]})" if pin.tree else pin.version


def _substituted(pin: lock.Pin, stand_in: lock.Pin) -> str:
    return (
        f"{pin.name} {pin.version} is no longer on the mirror, {stand_in.version} is used; "
        "`teecall fetch --update-lock` renews the lock"
    )
