# SPDX-License-Identifier: Apache-2.0
"""Download, verify and unpack: the part of the sources that touches network and disk.

Downloads are kept by origin and trees by content, both published by a rename under a lock, so
that processes can share a cache and an interrupted fetch leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SourceError, StoreError, TeecallError
from harness.files import disk_errors, locked, publish, scratch, sha256_of, write_atomic
from harness.sources.gittree import stat_signature, tree_id
from harness.sources.lock import Pin
from harness.sources.spec import Kind, Spec, parse
from harness.sources.vmm_packages import PREFIX
from harness.ui import Ui

if TYPE_CHECKING:
    from harness.sources.apt import Apt

# What brings a source is imported where it is used: most commands have nothing to bring.


class Fetcher:
    """Brings verified trees into the cache.

    Args:
        cache: the cache's folder.
        ui: is told what is fetched.
        offline: never touch the network.
    """

    def __init__(self, cache: Path, ui: Ui, offline: bool) -> None:
        self._cache = cache
        self._ui = ui
        self._offline = offline

    @cached_property
    def _apt(self) -> Apt:
        from harness.sources.apt import Apt

        return Apt(self._cache / "apt", self._ui.note)

    def pinned(self, component: str, pin: Pin) -> tuple[Path, Pin]:
        """Return the tree of a pinned source, and the pin it satisfies.

        That is another pin when the mirror no longer has the version: the newest of its series.

        Raises:
            SourceError: no origin delivers it; the message has each origin's reason.
        """
        from harness.sources.apt import UnknownVersion

        stand_in = self.substitute(pin)
        wanted = stand_in or pin
        reasons: list[TeecallError] = []
        for origin in wanted.origins:
            try:
                return self.archive(component, wanted, parse(origin), wanted.identity), wanted
            except StoreError:
                raise
            except TeecallError as error:
                reasons.append(error)
        if not self._offline and any(isinstance(reason, UnknownVersion) for reason in reasons):
            found = self._find_substitute(pin)
            if found is not None:
                return self.pinned(component, found)[0], found
        raise _no_origin(component, pin, reasons)

    def substitute(self, pin: Pin) -> Pin | None:
        """Return what an earlier fetch used in place of a pin."""
        try:
            data = json.loads(self._substitute_file(pin).read_text(encoding="utf-8"))
            return Pin(**{**data, "origins": tuple(data["origins"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _substitute_file(self, pin: Pin) -> Path:
        return self._cache / "substitutes" / f"{pin.identity}.json"

    def _find_substitute(self, pin: Pin) -> Pin | None:
        """Ask the mirror for the newest version of the pin's series, and remember it."""
        found = self.newest(pin)
        if found is None or found.identity == pin.identity:
            return found
        write_atomic(self._substitute_file(pin), json.dumps(asdict(found)))
        self._ui.note(
            f"{pin.name} {pin.version} is no longer on the mirror, {found.version} is used; "
            "`teecall fetch --update-lock` renews the lock"
        )
        return found

    def newest(self, pin: Pin) -> Pin | None:
        """Return a pin of the newest version of a series, downloaded and hashed.

        Without a series only another packaging of the same upstream version will do, and the
        tree must be the pinned one.
        """
        from harness.sources.apt import with_version

        spec = next((s for s in map(parse, pin.origins) if s.kind is Kind.APT), None)
        version = self._apt.newest(spec, pin.series or pin.version) if spec else None
        if spec is None or version is None:
            return None
        newer = with_version(spec, version)
        debian = (str(self._apt.in_pool(newer)), str(newer))
        if not pin.series:
            return replace(pin, origins=(*debian, *_elsewhere(pin.origins)))
        file = self.download(newer)
        upstream = version.partition("-")[0]
        return Pin(
            name=pin.name,
            version=upstream if pin.tree else version,
            origins=(
                *debian,
                *(url.replace(pin.version, upstream) for url in _elsewhere(pin.origins)),
            ),
            tree=self._tree_of(file) if pin.tree else "",
            sha256="" if pin.tree else sha256_of(file),
            series=pin.series,
        )

    def _tree_of(self, archive: Path) -> str:
        from harness.sources.unpack import unpack

        with scratch(self._cache / "trees", "tree") as folder:
            return tree_id(unpack(archive, folder))

    def archive(self, component: str, pin: Pin, origin: Spec, identity: str) -> Path:
        """Return the tree of an archive, downloaded, verified and unpacked once."""

        def fill(folder: Path) -> Path:
            from harness.sources.unpack import unpack

            file = self.download(origin, pin.sha256)
            self._ui.start(component, f"unpacking {origin}")
            top = unpack(file, folder, own=origin.kind is Kind.PATH)
            if pin.tree:
                _check_tree(origin, pin, tree_id(top), file)
            return top

        return self._tree(component, identity, str(origin), fill)

    def commit(self, component: str, spec: Spec, identity: str) -> Path:
        """Return the tree of a git commit, written out once."""

        def fill(folder: Path) -> Path:
            from harness.sources.git import Repository

            top = folder / "content"
            top.mkdir()
            Repository(spec, self._cache).export(identity.removeprefix("tree-"), top)
            return top

        return self._tree(component, identity, str(spec), fill)

    def _tree(
        self, component: str, identity: str, origin: str, fill: Callable[[Path], Path]
    ) -> Path:
        """Return an unpacked tree of the cache; one that was touched is unpacked anew."""
        final = self._cache / "trees" / identity
        with locked(self._cache / "locks" / f"{identity}.lock"):
            if self._is_intact(final):
                return final / "tree"
            doing = "looking in the cache for" if self._offline else "fetching"
            self._ui.start(component, f"{doing} {origin}")
            with scratch(self._cache / "trees", "tree") as folder:
                (folder / "in").mkdir()
                top = fill(folder / "in")
                (folder / "out").mkdir()
                top.rename(folder / "out" / "tree")
                record = {"origin": origin, "signature": stat_signature(folder / "out" / "tree")}
                write_atomic(folder / "out" / "source.json", json.dumps(record))
                publish(folder / "out", final)
            self._ui.done(component, f"fetched {origin}")
        return final / "tree"

    def _is_intact(self, final: Path) -> bool:
        try:
            record = json.loads((final / "source.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            record = {}
        if record.get("signature") == stat_signature(final / "tree"):
            return True
        self._ui.note(f"{final} was changed since it was unpacked; it is unpacked anew")
        return False

    def download(self, origin: Spec, sha256: str = "") -> Path:
        """Return an origin's file, downloaded once and verified each time.

        Raises:
            SourceError: it cannot be had, or is not what was expected.
        """
        if origin.kind is Kind.PATH:
            _check_hash(origin, Path(origin.location), sha256)
            return Path(origin.location)
        name = hashlib.sha256(str(origin).encode()).hexdigest()[:16]
        folder = self._cache / "downloads" / name
        with locked(self._cache / "locks" / f"download-{name}.lock"):
            file = next((path for path in folder.glob("*") if path.is_file()), None)
            if file is None:
                file = self._download(origin, folder)
            _check_hash(origin, file, sha256)
        return file

    def _download(self, origin: Spec, folder: Path) -> Path:
        if self._offline:
            raise SourceError(
                f"{origin} is not in the cache, and --offline forbids the network",
                "run `teecall fetch` once without --offline",
            )
        with scratch(folder.parent, "download") as temporary, disk_errors(folder):
            into = temporary / "files"
            into.mkdir()
            if origin.kind is Kind.APT:
                file = self._apt.fetch(origin, into)
            else:
                from harness.sources import web

                file = web.fetch(_url_of(origin), into, self._ui.note)
            publish(into, folder)
        return folder / file.name


def _url_of(origin: Spec) -> str:
    """Return where a file is; a pool file is on the system's own mirror.

    A pool file needs neither the mirror's index, which may lag behind its Release file for days,
    nor the minute that apt takes to fetch it; the hash in the lock stands for apt's signature.
    """
    if origin.kind is not Kind.POOL:
        return origin.location
    from harness.sources.mirror import required

    return f"{required().uri.rstrip('/')}/pool/{origin.location}"


def _check_hash(origin: Spec, file: Path, expected: str) -> None:
    found = sha256_of(file) if expected else ""
    if found != expected:
        _discard(origin, file)
        raise _wrong(origin, "sha256", expected, found)


def _check_tree(origin: Spec, pin: Pin, found: str, file: Path) -> None:
    if found != pin.tree:
        _discard(origin, file)
        raise _wrong(origin, "git tree id", pin.tree, found)


def _discard(origin: Spec, file: Path) -> None:
    """Remove a download that is not what it should be; a file of the user's stays."""
    if origin.kind is not Kind.PATH:
        file.unlink(missing_ok=True)


def _wrong(origin: Spec, what: str, expected: str, found: str) -> SourceError:
    return SourceError(
        f"{origin}: not the expected content",
        "the origin has changed or the download was tampered with: do not use it before you know "
        "why. The hash is pinned in configs/sources.lock, or in the source you named",
        details=(f"expected {what} {expected}", f"found    {what} {found}"),
    )


def _elsewhere(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Return the origins that are not Debian's."""
    return tuple(origin for origin in origins if not origin.startswith(("apt:", "pool:")))


def _no_origin(component: str, pin: Pin, reasons: list[TeecallError]) -> SourceError:
    details = [line for reason in reasons for line in (reason.message, *reason.details)]
    key = {"linux": "host"}.get(component, component)
    own = f"a tree of your own: --set {key}.source=path:DIR"
    if component.startswith("debian-"):
        own = "a kernel of your own: host.kernel or tvm.kernel names an Image"
    if component.startswith(PREFIX):
        own = "teecall's own VMM: --set worlds.vmm=teecall"
    remedies = dict.fromkeys(reason.remedy for reason in reasons if reason.remedy)
    return SourceError(
        f"{component} {pin.version}: no origin delivers it",
        "; ".join([*remedies, f"or use {own}"]),
        details=details,
    )
