# SPDX-License-Identifier: Apache-2.0
"""The shared store: what comes from it is what went in, or does not come at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.build.share import FORMAT, Share, share_of
from harness.build.store import Key, Store, key_of
from harness.errors import UsageError

KEY = key_of("toy", {"a": 1})


@pytest.fixture
def notes() -> list[str]:
    return []


def machine(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of another workstation, which is this one from now on."""
    monkeypatch.setenv("TEECALL_CACHE", str(folder / name))
    return Store(folder / name)


def made(store: Store, key: Key = KEY) -> Path:
    with store.build(key, {"a": 1}) as out:
        assert out is not None
        (out / "sub").mkdir()
        (out / "sub/tool").write_bytes(os.urandom(70_000))
        (out / "sub/tool").chmod(0o755)
        (out / "link").symlink_to("/somewhere/else")
    return store.place(key)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A bucket of a real server that speaks S3, on this workstation."""
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="artefacts")
        yield "s3://artefacts/teecall"
    server.stop()


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/{tmp_path.name}"
    return f"{request.param}://{tmp_path}/share"


def test_round_trip(
    url: str, tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machine(tmp_path, "one", monkeypatch)
    place = made(first)
    share = Share(url, notes.append)
    assert not share.fetch(KEY, machine(tmp_path, "two", monkeypatch))
    assert machine(tmp_path, "one", monkeypatch).find(KEY) == place
    assert share.offer(KEY, place)

    second = machine(tmp_path, "two", monkeypatch)
    assert Share(url, notes.append).fetch(KEY, second)
    found = second.find(KEY, full=True)
    assert found is not None
    assert (found / "sub/tool").read_bytes() == (place / "sub/tool").read_bytes()
    assert os.access(found / "sub/tool", os.X_OK)
    assert (found / "link").readlink() == Path("/somewhere/else")
    assert notes == []


def archive_of(folder: Path) -> Path:
    (archive,) = folder.rglob("*.tar.gz")
    return archive


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "how", ["flipped", "cut", "gone", "no-json", "newer", "another-hash", "swapped"]
)
def test_a_damaged_entry_is_told_and_replaced(
    how: str, tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = tmp_path / "share", f"file://{tmp_path}/share"
    place = made(machine(tmp_path, "one", monkeypatch))
    assert Share(url, notes.append).offer(KEY, place)
    archive, (stated,) = archive_of(folder), folder.rglob("*.json")
    if how == "flipped":
        flip(archive)
    elif how == "cut":
        archive.write_bytes(archive.read_bytes()[:100])
    elif how == "gone":
        archive.unlink()
    elif how == "no-json":
        stated.write_text("{")
    elif how == "newer":
        stated.write_text(json.dumps({"format": FORMAT + 1, "sha256": "0"}))
    elif how == "swapped":
        # Whole in itself, and not what was described.
        other = Share(f"file://{tmp_path}/other", notes.append)
        assert other.offer(KEY, made(machine(tmp_path, "another", monkeypatch)))
        archive.write_bytes(archive_of(tmp_path / "other").read_bytes())
    else:
        stated.write_text(json.dumps({"format": FORMAT, "sha256": "0" * 64}))

    second = machine(tmp_path, "two", monkeypatch)
    share = Share(url, notes.append)
    assert not share.fetch(KEY, second)
    assert second.find(KEY) is None
    (note,) = notes
    assert KEY.short in note
    if how in ("flipped", "cut", "no-json", "newer"):
        # The workstation that has built it repairs the entry.
        assert share.offer(KEY, made(second))
        assert Share(url, notes.append).fetch(KEY, machine(tmp_path, "three", monkeypatch))


def test_a_file_that_is_not_its_manifests_is_refused(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = made(machine(tmp_path, "one", monkeypatch))
    # The archive's own hash is right: it was made from a damaged store.
    flip(place / "sub/tool")
    url = f"file://{tmp_path}/share"
    assert Share(url, notes.append).offer(KEY, place)
    second = machine(tmp_path, "two", monkeypatch)
    assert not Share(url, notes.append).fetch(KEY, second)
    assert "its file sub/tool is another one" in notes[0]


def test_a_place_that_cannot_be_written_is_read(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machine(tmp_path, "one", monkeypatch)
    url = f"file://{tmp_path}/share"
    assert Share(url, notes.append).offer(KEY, made(first))
    other = key_of("toy", {"a": 2})
    # A file where a folder would be: not even root writes there.
    (tmp_path / "share/teecall-v1/late").write_text("")
    late = key_of("late", {})
    share = Share(url, notes.append)
    assert not share.offer(late, made(first, other))
    assert not share.offer(other, first.place(other))
    assert len(notes) == 1 and "only read" in notes[0]
    assert share.fetch(KEY, machine(tmp_path, "two", monkeypatch))


def test_another_version_shares_the_place(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = made(machine(tmp_path, "one", monkeypatch))
    url = f"file://{tmp_path}/share"
    assert Share(url, notes.append).offer(KEY, place)
    monkeypatch.setattr("harness.build.share.FORMAT", FORMAT + 1)
    second = machine(tmp_path, "two", monkeypatch)
    assert not Share(url, notes.append).fetch(KEY, second)
    assert Share(url, notes.append).offer(KEY, made(second))
    assert notes == []
    monkeypatch.undo()
    assert Share(url, notes.append).fetch(KEY, machine(tmp_path, "three", monkeypatch))


def test_urls(tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (str(tmp_path), "nosuch://x"):
        with pytest.raises(UsageError, match="--store"):
            Share(wrong, notes.append)
    monkeypatch.setenv("TEECALL_STORE", "s3://bucket/x")
    assert share_of(notes.append, offline=True) is None
    monkeypatch.setenv("TEECALL_STORE", f"file://{tmp_path}")
    assert share_of(notes.append, offline=True) is not None
