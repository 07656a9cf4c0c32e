# SPDX-License-Identifier: Apache-2.0
"""Find in a build's output the lines that say what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MOST = 8
_TAIL = 6
# The compiler's and the linker's own words. make's "Error 1" and "warning" lines only repeat
# that something failed.
_ERRORS = re.compile(
    r":\d+(:\d+)?: (fatal )?error:"
    r"|^\S*(gcc|cc|cc1|as|ld|clang)\S*: (fatal )?(error|cannot)"
    r"|: undefined reference to |: multiple definition of |: relocation truncated to fit"
    r"|^Error: \S+:\d+|: Error: |: syntax error|^FATAL ERROR|^ERROR: |^error: "
    r"|^make.*No rule to make target|: command not found|^Traceback "
    r"|cannot find -l|region `?\S+ overflowed"
)
_MAKE_STOP = re.compile(r"^make(\[\d+\])?: \*\*\* ")


def first_errors(lines: Sequence[str]) -> list[str]:
    """Return the first error lines of a log, or its end when none looks like an error."""
    found = list(dict.fromkeys(line.strip() for line in lines if _ERRORS.search(line)))
    if found:
        return found[:_MOST]
    stops = [line.strip() for line in lines if _MAKE_STOP.search(line)]
    tail = [line.strip() for line in lines if line.strip() and not _MAKE_STOP.search(line)]
    return [*tail[-_TAIL:], *stops[:1]]
