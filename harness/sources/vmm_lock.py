# SPDX-License-Identifier: Apache-2.0
"""Resolve which Debian packages the VMM inside the host needs, and pin them in `sources.lock`.

    python -m harness.sources.vmm_lock

apt resolves what the package depends on; of that, the packages stay that have a library which the
program loads. `teecall fetch --update-lock` renews the versions of what is pinned; this is for a
program that needs other libraries than before.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness import resources
from harness.build.libraries import closure
from harness.files import sha256_of, write_atomic
from harness.sources import lock
from harness.sources.apt import Apt, upstream
from harness.sources.fetch import Fetcher
from harness.sources.resolve import LOCK_FILE
from harness.sources.spec import Spec
from harness.sources.unpack import unpack
from harness.sources.vmm_packages import PACKAGE, PREFIX
from harness.ui import QuietUi


def series_of(version: str) -> str:
    """Return the series that stands in for a version: all its numbers but the last.

    Args:
        version: of Debian, as "1:10.0.13+ds-0+deb13u1", whose series is "10.0".
    """
    match = re.match(r"\d+(?:\.\d+)*", upstream(version))
    numbers = match[0].split(".") if match else [upstream(version)]
    return ".".join(numbers[:-1] or numbers)


def used(roots: Mapping[str, Path]) -> list[str]:
    """Return the packages that have the program or a library of it, by name.

    Args:
        roots: where each package is unpacked.
    """
    program = roots[PACKAGE] / "usr/bin/qemu-system-riscv64"
    files = [program, *closure(program, roots.values()).values()]
    owners = {name for name, root in roots.items() for file in files if file.is_relative_to(root)}
    return sorted(owners)


def resolve(cache: Path, work: Path) -> list[lock.Pin]:
    """Return a pin of each package that the program needs, in the first suite.

    Args:
        cache: the folder of downloads and of apt's lists.
        work: an empty folder.

    Raises:
        SourceError: the mirror cannot be reached.
        BuildError: a library is in none of the packages.
    """
    apt, fetcher = Apt(cache / "apt", print), Fetcher(cache, QuietUi(), offline=False)
    specs = {spec.package: spec for spec in apt.dependencies(PACKAGE)}
    files = {name: fetcher.download(spec) for name, spec in specs.items()}
    roots = {}
    for name, file in files.items():
        folder = work / name
        folder.mkdir()
        roots[name] = unpack(file, folder)
    return [_pin(apt, specs[name], files[name]) for name in used(roots)]


def _pin(apt: Apt, spec: Spec, file: Path) -> lock.Pin:
    return lock.Pin(
        name=PREFIX + spec.package,
        version=spec.detail,
        origins=(str(apt.in_pool(spec)), str(spec)),
        sha256=sha256_of(file),
        series=series_of(spec.detail),
    )


def main() -> None:
    """Write the lock with the packages as they are now."""
    path = resources.configs() / LOCK_FILE
    with tempfile.TemporaryDirectory() as work:
        found = resolve(resources.cache_dir(), Path(work))
    kept = {name: pin for name, pin in lock.read(path).items() if not name.startswith(PREFIX)}
    write_atomic(path, lock.render({**kept, **{pin.name: pin for pin in found}}))
    print(f"{len(found)} packages are pinned")


if __name__ == "__main__":
    main()
