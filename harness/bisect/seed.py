# SPDX-License-Identifier: Apache-2.0
"""A second kept work tree from the first: to build beside it without building it from nothing.

The copy has the times of what it copies, so that make finds it as finished as the original. What
make has written names the original's folder: dependency files, generated sources and Kconfig's
lists. Objects do not (`-ffile-prefix-map`), and are copied as they are.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.files import disk_errors, write_atomic

# What compilers and linkers have written; all else in make's output folder is text.
_BINARY = frozenset({".o", ".a", ".elf", ".bin"})


def seed(source: Path, target: Path, state: str) -> None:
    """Make a slot the copy of another.

    Args:
        source: a slot whose build has ended well.
        target: the other, of the same flags and tools; what is in it is removed.
        state: the name of the file by which a slot is known to be whole; it is copied last.

    The locks of both are held.

    Raises:
        NoSpace: the disk is full; then the target has no state, and is built from nothing.
    """
    (target / state).unlink(missing_ok=True)
    with disk_errors(target):
        for name in ("opensbi", "output"):
            shutil.rmtree(target / name, ignore_errors=True)
            shutil.copytree(source / name, target / name, symlinks=True)
        _rename(target / "output", os.fsencode(f"{source}/"), os.fsencode(f"{target}/"))
    text = (source / state).read_text(encoding="utf-8")
    write_atomic(target / state, text.replace(str(source), str(target)))


def _rename(output: Path, old: bytes, new: bytes) -> None:
    for path in output.rglob("*"):
        if path.suffix in _BINARY or path.is_symlink() or not path.is_file():
            continue
        text = path.read_bytes()
        if old in text:
            status = path.stat()
            path.write_bytes(text.replace(old, new))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
