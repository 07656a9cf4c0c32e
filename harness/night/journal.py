# SPDX-License-Identifier: Apache-2.0
"""The writer of `events.jsonl`: a record is on the disk before the next thing happens."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from harness.errors import StoreError, UsageError
from harness.files import disk_errors
from harness.report.record import EVENTS_FILE, Record, encode


class Journal:
    """An `events.jsonl` that is being written.

    Every record is one write, followed by a sync: a killed writer leaves the last line damaged at
    most, and a machine that loses its power loses no record that was followed by another.

    Args:
        folder: of the night; it is made.

    Raises:
        UsageError: the folder has the events of another night.
        StoreError, NoSpace: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / EVENTS_FILE
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self.path, flags, 0o644)
        except FileExistsError:
            raise UsageError(
                f"{folder} holds another night already, or is a file", "give another --out"
            ) from None
        except NotADirectoryError:
            raise UsageError(f"{folder} cannot be a folder", "give another --out") from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def write(self, record: Record) -> None:
        """Add a record.

        Raises:
            StoreError, NoSpace: it cannot be written.
        """
        line = encode(record)
        with disk_errors(self.path.parent):
            written = os.write(self._file, line)
            if written != len(line):
                # A disk that is nearly full: the rest of the line tells why it does not fit.
                os.write(self._file, line[written:])
                raise StoreError(f"cannot write all of {self.path}", "free some space")
            os.fsync(self._file)


def now() -> str:
    """Return the time as records have it."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
