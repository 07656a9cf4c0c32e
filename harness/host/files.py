# SPDX-License-Identifier: Apache-2.0
"""Files to and from the host through its shell, each compared by SHA-256."""

from __future__ import annotations

import base64
import hashlib
import shlex

from harness.errors import MachineError
from harness.machine.console import CommandResult, Console

# Bytes in one command: with the agent of any size, else a line of base64 that a terminal takes.
_PIECE = {True: 96 << 10, False: 2400}


def put(shell: Console, path: str, content: bytes) -> None:
    """Write a file on the host.

    Raises:
        MachineError: the host cannot write it, or has something else in it.
    """
    where, size = shlex.quote(path), _PIECE[shell.framed]
    _done(shell.run(f": >{where}"), path)
    for start in range(0, len(content), size):
        text = base64.b64encode(content[start : start + size]).decode()
        _done(shell.run(f"echo {text} | base64 -d >>{where}"), path)
    _compare(shell, path, content)


def get(shell: Console, path: str) -> bytes:
    """Return the content of a file on the host.

    Raises:
        MachineError: the host cannot read it, or it did not arrive whole.
    """
    where = shlex.quote(path)
    if shell.framed:
        content = _done(shell.run(f"cat {where}"), path).raw
    else:
        # Without the agent a UART keeps text whole at best.
        text = _done(shell.run(f"[ -r {where} ] && base64 {where}"), path).raw
        content = base64.b64decode(text)
    _compare(shell, path, content)
    return content


def _compare(shell: Console, path: str, content: bytes) -> None:
    said = _done(shell.run(f"sha256sum {shlex.quote(path)}"), path).output.split()
    if said[:1] != [hashlib.sha256(content).hexdigest()]:
        raise MachineError(f"{path} on the host is not what was transferred", "try again")


def _done(result: CommandResult, path: str) -> CommandResult:
    if not result.ok:
        raise MachineError(
            f"{path} on the host: status {result.status}", details=result.output.splitlines()[-5:]
        )
    return result
