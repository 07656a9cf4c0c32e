# SPDX-License-Identifier: Apache-2.0
"""The domain switch as a series of patches for an OpenSBI tree.

The files are those that a build places in lib/sbi/tsmd/, cut into patches that each leave a tree
that builds: an object is linked when something refers to it, so what is not yet used may come
first. objects.mk grows with them. The same files give the same series, byte for byte.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from harness.errors import InfraError, ToolMissing

FOLDER = "lib/sbi/tsmd"
MAKEFILE = "objects.mk"
_PREFIX = "lib: sbi: tsmd: "
# Midnight of 2026-01-01 UTC, and a minute for each patch: a series has an order.
_DATE = 1767225600
_STEP_S = 60


@dataclass(frozen=True, slots=True)
class Stage:
    """One patch: what it says and which files it brings (patterns of names)."""

    subject: str
    body: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Author:
    """Who signs the series off."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch as `git am` takes it."""

    name: str
    content: bytes


# A file goes to the first stage that names it; the last patterns of the third and fourth catch
# files that are new since this was written. Headers come early: the driver's own includes them.
STAGES = (
    Stage(
        "Add CoVE numbers and shared structures",
        """\
A TSM-driver speaks three interfaces: the CoVE host extension (COVH) with
the host, a private extension with the TSM, and event rings with whoever
reads them from outside. Keep their numbers and structures in two headers
without any dependency on OpenSBI, because the TSM and the tools around it
are built from the same files.""",
        ("cove.h", "teecall.h"),
    ),
    Stage(
        "Add set of confidential memory ranges",
        """\
Which memory is confidential changes at run time, in pages, while a PMP
has few entries. Keep it as a sorted set of coalesced ranges that can say
how many PMP entries it takes before anything is changed.

The set is pure: no CSR, no lock, no other header, so that it is tested on
a workstation too.""",
        ("tsmd_ranges.*", MAKEFILE),
    ),
    Stage(
        "Add TSM domain and its isolation by PMP",
        """\
In CoVE deployment model 1 the TSM runs in HS-mode beside the host OS, in
a supervisor domain of its own. sbi_domain cannot express that: its
regions are fixed at boot, and a hart that enters another domain leaves
assigned_harts of the first, which drops the host's IPIs and fences.

Describe the TSM domain in the device tree (memory of the TSM, pool of the
host that may become confidential) and lay out the PMP so that pmpaddr is
the same on both sides and a switch only writes pmpcfg. A changed set of
confidential ranges is loaded by every hart of the host, also by one that
starts later, before the change is reported.

What is confidential is recorded in the TSM's memory and zeroed after a
reset, which takes the PMP away and leaves memory as it was.""",
        (
            "tsmd_domain.*",
            "tsmd_fdt.*",
            "tsmd_memory.*",
            "tsmd_pmp.*",
            "tsmd_record.*",
            "*.h",
        ),
    ),
    Stage(
        "Guard what M-mode does with memory for the host",
        """\
M-mode may read and write everything, so a host could have it do what the
host itself cannot: console buffers, shared-memory registrations and the
like. Extend the address checks of sbi_domain by memory that is not the
host's, and refuse what would remember an address for later.

The checks go in front of the existing ones by --wrap: no line of theirs
changes, and without a TSM domain they answer as before.""",
        ("tsmd_guard.*",),
    ),
    Stage(
        "Offer COVH, SUPD and NACL to the host",
        """\
The host finds the TSM by probing COVH, asks SUPD for the active domains
and registers the shared memory of CoVE's run call by NACL. Registering
the extensions is also what starts the driver: before this patch nothing
looks for a TSM domain. COVH and COVI probe as present only when the TSM
has said that it is ready.""",
        ("tsmd_ecall.*",),
    ),
    Stage(
        "Document the TSM-driver",
        """\
Say what the driver does, what it expects of the device tree and of the
TSM, and where its limits are.""",
        ("*.md", "*.rst", "*.txt"),
    ),
)
# Between isolation and guard, and last to choose: it takes whatever nobody else does.
_SWITCH = Stage(
    "Switch between host and TSM",
    """\
TEECALL and TEERET swap the whole supervisor state of a hart: general
registers by the trap frame, S, H and VS CSRs by one list, memory
permissions by pmpcfg. Interrupt enables and the timer stay the host's, so
that its interrupts end what the TSM does. SSE events wait for the host:
one would enter its handler with the TSM's view of memory.

The trap handler restores registers from the frame that it returns, so
returning the other side's frame is the switch; --wrap puts the driver in
front of it and of sbi_hart_switch_mode() without a change of either. A
TSM that faults or panics is dead, its caller gets an error, the host
lives.""",
    ("*",),
)
_ORDER = (*STAGES[:3], _SWITCH, *STAGES[3:])


def staged(files: Mapping[str, bytes]) -> list[tuple[Stage, dict[str, bytes]]]:
    """Return the stages that bring something, each with its files.

    Args:
        files: content by name, objects.mk among them.
    """
    chosen: dict[str, list[str]] = {stage.subject: [] for stage in _ORDER}
    for name in sorted(files):
        chosen[_stage_of(name).subject].append(name)
    result: list[tuple[Stage, dict[str, bytes]]] = []
    present: dict[str, bytes] = {}
    makefile = b""
    for stage in _ORDER:
        new = {name: files[name] for name in chosen[stage.subject] if name != MAKEFILE}
        if not new:
            continue
        present |= new
        grown = makefile_for(files[MAKEFILE], present)
        if any(name.endswith((".c", ".S")) for name in new) and grown != makefile:
            makefile = new[MAKEFILE] = grown
        result.append((stage, new))
    if makefile != files[MAKEFILE]:
        raise InfraError(
            f"{MAKEFILE} of the domain switch names something that is in none of its files",
            "the last patch has to leave the objects.mk that a build uses",
        )
    return result


def _stage_of(name: str) -> Stage:
    for stage in (*_specific(STAGES), *STAGES, _SWITCH):
        if any(fnmatch(name, pattern) for pattern in stage.patterns):
            return stage
    return _SWITCH


def _specific(stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages without the patterns that catch a kind of file."""
    return [
        Stage(stage.subject, stage.body, tuple(p for p in stage.patterns if p[0] != "*"))
        for stage in stages
    ]


def makefile_for(text: bytes, present: Mapping[str, bytes]) -> bytes:
    """Return objects.mk with the lines whose objects, extensions and wrappers are present."""
    sources = b"\n".join(content for name, content in present.items() if name[-2:] in (".c", ".S"))
    lines = [line for line in text.decode().splitlines() if _holds(line, present, sources.decode())]
    squeezed = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    return ("\n".join(squeezed).rstrip("\n") + "\n").encode()


def _holds(line: str, present: Mapping[str, bytes], sources: str) -> bool:
    if found := re.match(r"libsbi-objs-\S+\s*\+=\s*tsmd/(\w+)\.o$", line):
        return any(f"{found[1]}{suffix}" in present for suffix in (".c", ".S"))
    if found := re.match(r"carray-sbi_ecall_exts-\S+\s*\+=\s*(\w+)$", line):
        return f"struct sbi_ecall_extension {found[1]} " in sources
    if found := re.search(r"--wrap=(\w+)$", line):
        return f"__wrap_{found[1]}(" in sources
    return True


def series(files: Mapping[str, bytes], author: Author) -> list[Patch]:
    """Return the patches that bring `files` into lib/sbi/tsmd/ of an OpenSBI tree.

    Args:
        files: content by name, as `overlay_files` gives it.
        author: whose patches they are, and who signs them off.

    Raises:
        ToolMissing: git is not installed.
        InfraError: git failed.
    """
    with tempfile.TemporaryDirectory(prefix="teecall-patches-") as place:
        repository = _Repository(Path(place), author)
        repository.git("init", "-q", "--initial-branch=series")
        repository.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
        for stage, new in staged(files):
            repository.commit(stage, new)
        return repository.patches()


class _Repository:
    """A throw-away repository that nothing outside of it has an influence on."""

    def __init__(self, place: Path, author: Author) -> None:
        self._place = place
        self._author = author
        self._commits = 0

    def commit(self, stage: Stage, files: Mapping[str, bytes]) -> None:
        """Add a patch to the series."""
        folder = self._place / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        self.git("add", "--all", "--force", FOLDER)
        text = f"{_PREFIX}{stage.subject}\n\n{stage.body}\n\nSigned-off-by: {self._author}\n"
        self._commits += 1
        self.git("commit", "-q", "--cleanup=verbatim", "-F", "-", text=text)

    def patches(self) -> list[Patch]:
        """Return all patches."""
        out = self._place / "out"
        options = ("--no-signature", "--full-index", "--no-renames", "--stat=72", "--numbered")
        self.git("format-patch", "-q", *options, "-o", str(out), f"HEAD~{self._commits}")
        return [Patch(path.name, path.read_bytes()) for path in sorted(out.iterdir())]

    def git(self, *words: str, text: str = "") -> None:
        """Run git without the user's configuration."""
        date = f"{_DATE + self._commits * _STEP_S} +0000"
        environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
        environment |= {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "LC_ALL": "C",
            "TZ": "UTC",
        }
        for role in ("AUTHOR", "COMMITTER"):
            environment[f"GIT_{role}_NAME"] = self._author.name
            environment[f"GIT_{role}_EMAIL"] = self._author.email
            environment[f"GIT_{role}_DATE"] = date
        run_git(words, self._place, environment, text)


def run_git(
    words: Sequence[str],
    place: Path,
    environment: Mapping[str, str] | None = None,
    text: str = "",
) -> str:
    """Run git in a folder and return what it printed.

    Raises:
        ToolMissing: git is not installed.
        InfraError: it failed.
    """
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=place,
            env=environment,
            input=text.encode(),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissing("git is not installed", "install git") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").splitlines()[-5:]
        raise InfraError(f"git {words[0]} failed (exit status {done.returncode})", details=said)
    return done.stdout.decode(errors="replace")


def overlay_files(overlay: Path, abi: Path) -> dict[str, bytes]:
    """Return what a build places in lib/sbi/tsmd/: the switch, and the headers of the ABI.

    Args:
        overlay: folder of the domain switch.
        abi: folder of the headers that it shares with the TSM.
    """
    sources = [path for path in overlay.iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in (*sources, *abi.glob("*.h"))}
