# SPDX-License-Identifier: Apache-2.0
"""TVMs for tests: launched in the background, watched by their consoles, destroyed at the end."""

from __future__ import annotations

import difflib
import hashlib
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from harness.errors import MachineError, UsageError
from harness.host.host import Host
from harness.host.results import GuestRun, parse_answer
from harness.machine.deadline import slowness

_FOLDER = "/tmp/teecall"
_BUILT = "/payload"
# A shell on the host looks for a line so often.
_LOOK_US = 20_000
_END_S = 30.0


class Guest:
    """A TVM that was launched.

    `name` is for people; what it prints is in `lines`.
    """

    def __init__(self, host: Host, name: str, place: str, console: bool, seconds: float) -> None:
        self.name = name
        self._host = host
        self._place = place
        self._console = f"{place}.console" if console else ""
        self._seconds = seconds
        self._end: GuestRun | None = None

    @property
    def lines(self) -> list[str]:
        """What the guest has printed so far, line by line."""
        if not self._console:
            return self._said().lines
        text = self._host.get(self._console).decode(errors="replace")
        return text.replace("\r", "").splitlines()

    def wait_line(self, text: str, seconds: float | None = None) -> None:
        """Wait until the guest has printed `text`.

        Args:
            text: as it stands in a line.
            seconds: it has, scaled by the workstation's speed [default: what it was launched
                with].

        Raises:
            MachineError: it ended, or its time was over, before that.
        """
        limit = seconds or self._seconds
        # Events are JSON, in which a quotation mark is escaped.
        wanted = shlex.quote(text if self._console else text.replace('"', '\\"'))
        log = self._console or f"{self._place}.events"
        found = f"grep -qF {wanted} {log} 2>/dev/null"
        turns = math.ceil(limit * slowness() * 1e6 / _LOOK_US)
        self._host.run(
            f"n={turns}; while ! {found} && [ $n -gt 0 ] && kill -0 $(cat {self._place}.pid)"
            f" 2>/dev/null; do usleep {_LOOK_US}; n=$((n - 1)); done",
            limit + _END_S,
        )
        if not self._host.run(found).ok:
            raise MachineError(
                f"{self.name} did not print '{text}'", details=[repr(s) for s in self.lines[-5:]]
            )

    def wait(self) -> GuestRun:
        """Wait for the end of the guest, and of all that is left of it.

        Returns:
            The events of the tvm tool: `trouble` is empty when it ended by a shutdown of its own.
        """
        if self._end is None:
            status = self._host.run(f"wait $(cat {self._place}.pid)", self._seconds + _END_S).status
            self._end = self._said(status)
        return self._end

    def destroy(self) -> GuestRun:
        """End the guest wherever it is, in order: destroyed, its memory back at the host."""
        if self._end is None:
            self._host.run(f"kill $(cat {self._place}.pid) 2>/dev/null")
        return self.wait()

    def _said(self, status: int = 0) -> GuestRun:
        text = self._host.get(f"{self._place}.events").decode(errors="replace")
        answer = parse_answer(text, status)
        return GuestRun(answer.objects, answer.messages, answer.status)


class Tvm:
    """Launches TVMs on a host; what still runs at its end is destroyed.

    Args:
        host: which runs them.
        folder: relative paths of guests begin there: the folder of the test.
    """

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._folder = folder
        self._guests: list[Guest] = []

    def __enter__(self) -> Tvm:
        self._host.run(f"mkdir -p {_FOLDER}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        machine = self._host.machine
        # On a dead machine there is nothing to destroy, and its death is told elsewhere.
        if kind is None and machine.status is None and machine.death() is None:
            for guest in self._guests:
                guest.destroy()

    def run(self, file: str | Path, arg: int = 0, *, seconds: float | None = None) -> Guest:
        """Launch an ELF file with an argument in a1, by `tvm run`.

        Args:
            file: an ELF file, or the name of one that teecall builds, such as `hello`.
            arg: the argument that is measured with the entry.
            seconds: until the tool ends it [default: timeouts.guest_s].

        Raises:
            UsageError: there is no such file.
        """
        return self._launch(["run", self.put(file), "--arg", hex(arg)], file, seconds)

    def payload(
        self,
        file: str | Path,
        *,
        vcpus: int = 1,
        memory_mib: int = 128,
        options: Sequence[str] = (),
        seconds: float | None = None,
    ) -> Guest:
        """Launch an ELF file or a flat binary with a0 = hart id and a1 = device tree.

        Args:
            file: the payload; a flat binary starts at 0x80200000.
            vcpus: number of vCPUs.
            memory_mib: its memory.
            options: more words for `tvm payload`.
            seconds: until the tool ends it [default: timeouts.guest_s].

        Raises:
            UsageError: there is no such file.
        """
        words = ["payload", self.put(file), "--vcpus", str(vcpus), "--memory", str(memory_mib)]
        return self._launch([*words, *options], file, seconds, console=True)

    def linux(
        self,
        kernel: str | Path,
        initrd: str | Path | None = None,
        *,
        vcpus: int = 1,
        memory_mib: int = 128,
        options: Sequence[str] = (),
        seconds: float | None = None,
    ) -> Guest:
        """Launch a Linux kernel.

        Args:
            kernel: an uncompressed Image.
            initrd: its initramfs.
            vcpus: number of vCPUs.
            memory_mib: its memory.
            options: more words for `tvm linux`, such as `--cmdline`.
            seconds: until the tool ends it [default: timeouts.guest_s].

        Raises:
            UsageError: there is no such file.
        """
        words = ["linux", self.put(kernel), "--vcpus", str(vcpus), "--memory", str(memory_mib)]
        words += ["--initrd", self.put(initrd)] if initrd is not None else []
        return self._launch([*words, *options], kernel, seconds, console=True)

    def put(self, file: str | Path) -> str:
        """Return the path on the host of a guest's file, which is taken there once.

        Raises:
            UsageError: there is no such file, nor a guest of this name.
        """
        path = self._folder / file
        if path.is_file():
            content = path.read_bytes()
            place = f"{_FOLDER}/{hashlib.sha256(content).hexdigest()[:16]}"
            if not self._host.run(f"[ -e {place} ]").ok:
                self._host.put(place, content)
            return place
        return self._built(str(file), path)

    def _built(self, name: str, path: Path) -> str:
        names = [
            word.removesuffix(".elf") for word in self._host.run(f"ls {_BUILT}").output.split()
        ]
        if name in names:
            return f"{_BUILT}/{name}.elf"
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise UsageError(
            f"there is no file {path}, nor a guest of teecall's called '{name}'",
            f"{hint}teecall builds: {', '.join(names)}",
        )

    def _launch(
        self, words: Sequence[str], file: str | Path, seconds: float | None, console: bool = False
    ) -> Guest:
        limit = seconds or self._host.machine.config.timeouts.guest_s
        place = f"{_FOLDER}/guest{len(self._guests)}"
        end = ["--timeout", str(math.ceil(limit * slowness())), "--json"]
        end += ["--console", f"{place}.console"] if console else []
        command = shlex.join(["tvm", *words, *end])
        # The files are there before the guest says anything, and nothing of an earlier one.
        self._host.run(
            f"rm -f {place}.*; : >{place}.console; {command} >{place}.events 2>&1 &"
            f" echo $! >{place}.pid"
        )
        guest = Guest(self._host, Path(file).name, place, console, limit)
        self._guests.append(guest)
        return guest
