# SPDX-License-Identifier: Apache-2.0
"""What a program has started and left behind, also in sessions of their own, ends with it."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)
# Who makes processes faster than they can be ended is given up after so long.
_LIMIT_S = 10.0


@contextmanager
def none_left() -> Iterator[None]:
    """End all children of this process at the end, and all whose parents have ended before.

    This process becomes the one that inherits orphans (prctl(2), PR_SET_CHILD_SUBREAPER), for good:
    it is for a process that does nothing else beside.
    """
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        limit = time.monotonic() + _LIMIT_S
        # The children of one that is ended become ours in turn.
        while (children := _children()) and time.monotonic() < limit:
            for child in children:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)


def _children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found += map(int, (task / "children").read_text("ascii").split())
    return found
