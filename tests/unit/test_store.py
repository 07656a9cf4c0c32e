# SPDX-License-Identifier: Apache-2.0
"""The store: atomic, shared by processes, self-checking, and whole after a full disk."""

from __future__ import annotations

import errno
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import pytest

from harness import files
from harness.build.store import MANIFEST, Store, key_of
from harness.errors import NoSpace, StoreError

KEY = key_of("thing", {"flags": ["-O2"]})


def build(store: Store, content: str = "content") -> Path:
    with store.build(KEY, {"flags": ["-O2"]}) as out:
        assert out is not None
        (out / "sub").mkdir()
        (out / "sub/file").write_text(content)
    return store.place(KEY)


def leftovers(cache: Path) -> list[Path]:
    return [path for path in (cache / "store").rglob("*") if path.name.startswith("tmp")]


def test_an_entry_is_found_again(cache: Path) -> None:
    assert Store(cache).find(KEY) is None
    place = build(Store(cache))
    assert Store(cache).find(KEY) == place
    assert Store(cache).find(KEY, full=True) == place
    assert not leftovers(cache)


def test_keys_depend_on_every_input_and_not_on_their_order() -> None:
    assert key_of("a", {"x": 1, "y": 2}) == key_of("a", {"y": 2, "x": 1})
    different = [key_of("a", {"x": 1}), key_of("b", {"x": 1}), key_of("a", {"x": 2})]
    assert len(set(different)) == 3


def test_a_damaged_file_is_noticed(cache: Path) -> None:
    place = build(Store(cache))
    (place / "sub/file").write_text("CONTENT")
    assert Store(cache).find(KEY) is None
    assert build(Store(cache), "content") == place
    assert Store(cache).find(KEY, full=True) == place


def test_damage_behind_size_and_time_is_found_by_the_full_check(cache: Path) -> None:
    file = build(Store(cache)) / "sub/file"
    before = file.stat()
    file.write_text("CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Store(cache).find(KEY) is not None
    assert Store(cache).find(KEY, full=True) is None


def test_a_touched_entry_is_still_whole(cache: Path) -> None:
    place = build(Store(cache))
    os.utime(place / "sub/file", (1, 1))
    assert Store(cache).find(KEY) == place
    assert Store(cache).find(KEY) == place


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_manifest(cache: Path, text: str) -> None:
    (build(Store(cache)) / MANIFEST).write_text(text)
    assert Store(cache).find(KEY) is None
    build(Store(cache))
    assert Store(cache).find(KEY) is not None


def test_a_missing_file(cache: Path) -> None:
    (build(Store(cache)) / "sub/file").unlink()
    assert Store(cache).find(KEY) is None


def test_a_failed_build_publishes_nothing(cache: Path) -> None:
    with pytest.raises(RuntimeError), Store(cache).build(KEY, {}) as out:
        assert out is not None
        (out / "half").write_text("half")
        raise RuntimeError
    assert Store(cache).find(KEY) is None
    assert not leftovers(cache)


def test_an_empty_build_is_an_error(cache: Path) -> None:
    with pytest.raises(StoreError, match="left nothing"), Store(cache).build(KEY, {}):
        pass


def test_a_full_disk_leaves_the_store_whole(cache: Path) -> None:
    def write() -> None:
        with Store(cache).build(KEY, {}) as out:
            assert out is not None
            (out / "part").write_text("part")
            raise OSError(errno.ENOSPC, "No space left on device", str(out))

    with pytest.raises(NoSpace) as caught:
        write()
    assert caught.value.exit_code == 99
    assert "TEECALL_CACHE" in caught.value.remedy
    assert not leftovers(cache)
    assert build(Store(cache)) == Store(cache).find(KEY, full=True)


def test_a_full_disk_at_the_manifest(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(NoSpace):
        build(Store(cache))
    monkeypatch.undo()
    assert Store(cache).find(KEY) is None


def test_a_killed_builds_leftover_is_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = cache / "store/thing/tmp-dead"
    left.mkdir(parents=True)
    begun = left.stat().st_ctime
    monkeypatch.setattr(time, "time", lambda: begun + 60)
    with files.scratch(left.parent, "alive") as alive:
        build(Store(cache))
        assert alive.exists()
    assert not left.exists()


def _build_once(cache: Path, built: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    with Store(cache).build(KEY, {}) as out:
        if out is not None:
            with Path(built).open("a") as log:
                log.write("built\n")
            time.sleep(0.3)
            (out / "file").write_text("content")


def test_two_processes_build_a_key_once(cache: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    built = tmp_path / "built"
    processes = [
        context.Process(target=_build_once, args=(cache, str(built), barrier)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert built.read_text() == "built\n"
    assert Store(cache).find(KEY, full=True) is not None
    assert not leftovers(cache)
