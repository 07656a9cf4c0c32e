# SPDX-License-Identifier: Apache-2.0
"""Write an initramfs: a cpio archive (newc) from a list in gen_init_cpio's format.

The same list and files give the same bytes: inode numbers count up, times are zero, owners are
what the list says. No root is needed for device nodes.
"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from harness.errors import BuildError

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"
_NODE_KINDS = {"b": stat.S_IFBLK, "c": stat.S_IFCHR}


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the archive."""

    name: str
    mode: int
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    major: int = 0
    minor: int = 0


def archive(members: Iterator[Member] | list[Member]) -> bytes:
    """Return the archive of the members, in their order."""
    parts = [_member(member, number) for number, member in enumerate(members, start=1)]
    parts.append(_member(Member(_TRAILER, 0), 0))
    return b"".join(parts)


def _member(member: Member, inode: int) -> bytes:
    name = member.name.lstrip("/").encode() + b"\0"
    links = 2 if stat.S_ISDIR(member.mode) else 1
    numbers = (
        inode,
        member.mode,
        member.uid,
        member.gid,
        links,
        0,  # time
        len(member.content),
        0,
        0,  # the archive's own device
        member.major,
        member.minor,
        len(name),
        0,  # checksum, not used in this format
    )
    header = _MAGIC + b"".join(b"%08X" % number for number in numbers)
    return _padded(header + name) + _padded(member.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def parse_list(text: str, places: Mapping[str, str], origin: str) -> list[Member]:
    """Read a list in gen_init_cpio's format.

    Args:
        text: the list. `${NAME}` stands for one of the places.
        places: what the names stand for.
        origin: the list's file name, for messages.

    Raises:
        BuildError: a line is not understood, or a file is not there.
    """
    members = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(Template(line).substitute(places))
            members.append(_LINES[words[0]](*words[1:]))
        except KeyError as error:
            known = ", ".join([*_LINES, *(f"${{{name}}}" for name in places)])
            raise BuildError(
                f"{origin}:{number}: {error} is not known", f"known: {known}"
            ) from None
        except (TypeError, ValueError) as error:
            raise BuildError(
                f"{origin}:{number}: not understood: {line.strip()}: {error}"
            ) from None
        except OSError as error:
            raise BuildError(f"{origin}:{number}: {error.filename}: {error.strerror}") from None
    return members


def _file(name: str, source: str, mode: str, uid: str, gid: str) -> Member:
    content = Path(source).read_bytes()
    return Member(name, stat.S_IFREG | int(mode, 8), int(uid), int(gid), content)


def _dir(name: str, mode: str, uid: str, gid: str) -> Member:
    return Member(name, stat.S_IFDIR | int(mode, 8), int(uid), int(gid))


def _slink(name: str, target: str, mode: str, uid: str, gid: str) -> Member:
    return Member(name, stat.S_IFLNK | int(mode, 8), int(uid), int(gid), target.encode())


def _nod(name: str, mode: str, uid: str, gid: str, kind: str, major: str, minor: str) -> Member:
    bits = _NODE_KINDS[kind] | int(mode, 8)
    return Member(name, bits, int(uid), int(gid), b"", int(major), int(minor))


def _pipe(name: str, mode: str, uid: str, gid: str) -> Member:
    return Member(name, stat.S_IFIFO | int(mode, 8), int(uid), int(gid))


_LINES: dict[str, Callable[..., Member]] = {
    "file": _file,
    "dir": _dir,
    "slink": _slink,
    "nod": _nod,
    "pipe": _pipe,
}
