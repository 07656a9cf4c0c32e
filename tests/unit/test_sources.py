# SPDX-License-Identifier: Apache-2.0
"""Sources: identity, verification, unpacking, and what happens when the verifier says no."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from harness.config.load import load
from harness.errors import ConfigError, SourceError, TeecallError
from harness.sources import gittree, lock, mirror
from harness.sources.apt import UnknownVersion, in_series
from harness.sources.fetch import Fetcher
from harness.sources.gittree import BlobCache, tree_id, working_tree_id
from harness.sources.lock import Pin
from harness.sources.resolve import Sources
from harness.sources.spec import Kind, Spec, parse
from harness.sources.unpack import unpack
from harness.ui import QuietUi

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def fill(folder: Path) -> Path:
    """Make a tree with everything a tree id depends on."""
    (folder / "a-b").mkdir(parents=True)
    (folder / "a").mkdir()
    (folder / "a/x").write_text("x\n")
    (folder / "a-b/y").write_text("y\n")
    (folder / "a.c").write_text("int a;\n")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("a/x")
    return folder


def tarball(folder: Path, name: str = "t-1.0") -> Path:
    path = folder.parent / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, arcname=name)
    return path


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_known_tree_ids(tmp_path: Path) -> None:
    assert tree_id(tmp_path) == EMPTY_TREE
    (tmp_path / "hello").write_text("hello\n")
    # What `git write-tree` says of this one file.
    assert tree_id(tmp_path) == "b4d01e9b0c4a9356736dfddf8830ba9a54f5271c"


def test_tree_id_agrees_with_git(tmp_path: Path) -> None:
    tree = fill(tmp_path / "t")
    git(tmp_path, "init", "-q", str(tree))
    git(tree, "add", "-A")
    wanted = git(tree, "write-tree")
    assert tree_id(tree, skip={".git"}) == wanted
    assert working_tree_id(tree) == wanted
    (tree / ".gitignore").write_text("*.o\n")
    with_ignore = working_tree_id(tree)
    (tree / "a.o").write_text("object")
    assert working_tree_id(tree) == with_ignore != wanted


def test_cached_hashes_follow_every_change(tmp_path: Path) -> None:
    tree = fill(tmp_path / "t")
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1, 1))
    cache = tmp_path / "stat.json"

    def look() -> str:
        return tree_id(tree, cache=BlobCache.open(cache))

    first = look()
    assert look() == first
    (tree / "a/x").write_text("X\n")
    os.utime(tree / "a/x", (1, 1))
    assert look() == tree_id(tree) != first
    cache.write_text("{ damaged")
    assert look() == tree_id(tree)


@pytest.mark.parametrize(
    ("text", "kind", "location", "detail"),
    [
        ("apt:src:opensbi=1.6-1", Kind.APT, "src:opensbi", "1.6-1"),
        ("path:/x/y=z", Kind.PATH, "/x/y=z", ""),
        ("git:/x/y@v1.6", Kind.GIT, "/x/y", "v1.6"),
        ("git:git@host:group/r", Kind.GIT, "git@host:group/r", "HEAD"),
        ("git:git@host:group/r@topic/x", Kind.GIT, "git@host:group/r", "topic/x"),
        ("url:http://h/f#sha256=" + "a" * 64, Kind.URL, "http://h/f", "a" * 64),
    ],
)
def test_source_strings(text: str, kind: Kind, location: str, detail: str) -> None:
    spec = parse(text)
    assert (spec.kind, spec.location, spec.detail) == (kind, location, detail)
    if detail != "HEAD":
        assert str(spec) == text


@pytest.mark.parametrize("text", ["opensbi", "svn:x", "path:", "apt:x", "url:h#sha256=12"])
def test_malformed_source_strings(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("version", "series", "is_in"),
    [
        ("6.12.107-1", "6.12", True),
        ("6.120-1", "6.12", False),
        ("1:1.37.0-6+b9", "1.37", True),
        ("1.6-2", "1.6", True),
        ("3.6.6-0.1~deb13u1", "3.6", True),
    ],
)
def test_series(version: str, series: str, is_in: bool) -> None:
    assert in_series(version, series) is is_in


def test_shipped_lock_is_what_the_writer_writes() -> None:
    from harness import resources

    path = resources.configs() / "sources.lock"
    assert lock.render(lock.read(path)) == path.read_text()


def test_damaged_lock(tmp_path: Path) -> None:
    path = tmp_path / "l"
    for text in ("[x", "[x]\nversion='1'\norigins=[]", "[x]\nversion='1'\ntree='a'", "x=1"):
        path.write_text(text)
        with pytest.raises(ConfigError):
            lock.read(path)


def fetcher(cache: Path, offline: bool = False) -> Fetcher:
    return Fetcher(cache, QuietUi(), offline)


def test_a_tree_is_verified_and_unpacked_once(tmp_path: Path, cache: Path) -> None:
    tree = fill(tmp_path / "t")
    wanted = tree_id(tree)
    pin = Pin("t", "1.0", (f"path:{tarball(tree)}",), tree=wanted)
    place, used = fetcher(cache).pinned("t", pin)
    assert used == pin
    assert tree_id(place) == wanted
    before = place.stat().st_ino
    assert fetcher(cache, offline=True).pinned("t", pin)[0].stat().st_ino == before


def test_a_touched_tree_is_unpacked_anew(tmp_path: Path, cache: Path) -> None:
    tree = fill(tmp_path / "t")
    pin = Pin("t", "1.0", (f"path:{tarball(tree)}",), tree=tree_id(tree))
    place, _ = fetcher(cache).pinned("t", pin)
    (place / "a.c").write_text("int trojan;\n")
    place, _ = fetcher(cache).pinned("t", pin)
    assert tree_id(place) == pin.tree


def test_a_wrong_tree_id_is_refused(tmp_path: Path, cache: Path) -> None:
    tree = fill(tmp_path / "t")
    found = tree_id(tree)
    pin = Pin("t", "1.0", (f"path:{tarball(tree)}",), tree="0" * 40)
    with pytest.raises(SourceError) as caught:
        fetcher(cache).pinned("t", pin)
    told = "\n".join((caught.value.message, *caught.value.details, caught.value.remedy))
    assert "0" * 40 in told
    assert found in told
    assert "t.source=path:" in told
    assert not list((cache / "trees").glob("tree-*"))


def test_a_wrong_hash_is_refused(tmp_path: Path, cache: Path) -> None:
    path = tarball(fill(tmp_path / "t"))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    copy = tmp_path / "copy.tar.gz"
    copy.write_bytes(path.read_bytes())
    pin = Pin("t", "1.0", (f"path:{copy}",), sha256="f" * 64)
    with pytest.raises(SourceError) as caught:
        fetcher(cache).pinned("t", pin)
    assert any(found in line for line in caught.value.details)
    assert any("f" * 64 in line for line in caught.value.details)


def test_the_next_origin_is_tried(tmp_path: Path, cache: Path) -> None:
    tree = fill(tmp_path / "t")
    other = tmp_path / "other"
    other.mkdir()
    (other / "x").write_text("another content")
    wrong, right = tarball(other, "wrong"), tarball(tree, "right")
    pin = Pin("t", "1.0", (f"path:{wrong}", f"path:{right}"), tree=tree_id(tree))
    assert tree_id(fetcher(cache).pinned("t", pin)[0]) == pin.tree


def test_offline_never_downloads(cache: Path) -> None:
    pin = Pin("t", "1.0", ("url:http://127.0.0.1:9/t.tar.gz", "apt:t=1.0"), tree="0" * 40)
    with pytest.raises(SourceError) as caught:
        fetcher(cache, offline=True).pinned("t", pin)
    assert "--offline" in "\n".join(caught.value.details)


class OldMirror:
    """An apt that has only a newer version."""

    def __init__(self, package: Path) -> None:
        self._package = package

    def fetch(self, spec: Spec, into: Path) -> Path:
        """Deliver the new version only."""
        if spec.detail != "6.12.9-1":
            raise UnknownVersion("gone")
        target = into / self._package.name
        target.write_bytes(self._package.read_bytes())
        return target

    def newest(self, spec: Spec, series: str) -> str | None:
        """Return the only version there is."""
        return "6.12.9-1" if in_series("6.12.9-1", series) else None

    def in_pool(self, spec: Spec) -> Spec:
        """Return where the mirror would have it."""
        return parse(f"pool:main/l/linux/linux_{spec.detail}_all.deb")


class _Mirror(BaseHTTPRequestHandler):
    """A mirror with one file in its pool and no index."""

    file = b""

    def do_GET(self) -> None:
        """Serve the file, and nothing else."""
        found = self.path == "/debian/pool/main/t/t/t_1.0+x.orig.tar.gz"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.file if found else b"")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Mirror]]:
    """The system's mirror, served from here."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}/debian/"
        monkeypatch.setattr(mirror, "find", lambda: mirror.Mirror(uri))
        yield _Mirror
        server.shutdown()


def test_a_pool_file_needs_no_index(
    tmp_path: Path, cache: Path, pool: type[_Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = fill(tmp_path / "t")
    pool.file = tarball(tree).read_bytes()
    origins = ("pool:main/t/t/t_gone.orig.tar.gz", "pool:main/t/t/t_1.0+x.orig.tar.gz")
    pin = Pin("t", "1.0", origins, tree=tree_id(tree))
    assert tree_id(fetcher(cache).pinned("t", pin)[0]) == pin.tree
    pool.file = b"something else"
    other = Pin("t", "1.0", origins, sha256="0" * 64)
    with pytest.raises(SourceError, match="no origin delivers it") as caught:
        fetcher(cache / "other").pinned("t", other)
    assert any("HTTP 404" in line for line in caught.value.details)
    assert any("not the expected content" in line for line in caught.value.details)
    monkeypatch.setattr(mirror, "find", lambda: None)
    with pytest.raises(SourceError) as caught:
        fetcher(cache / "third").pinned("t", other)
    assert any("names no Debian mirror" in line for line in caught.value.details)


def test_a_pool_file_is_for_the_lock_only(cache: Path) -> None:
    config = load([], ["busybox.source=pool:main/b/busybox/busybox_1.deb"]).value
    with pytest.raises(ConfigError, match="source of the lock"):
        Sources(config, QuietUi(), cache=cache).identify("busybox")


def test_the_newest_of_a_series_stands_in(tmp_path: Path, cache: Path) -> None:
    package = tarball(fill(tmp_path / "t"))
    pin = Pin("linux", "6.12.3-1", ("apt:linux=6.12.3-1",), sha256="0" * 64, series="6.12")
    bringer = fetcher(cache)
    bringer._apt = OldMirror(package)  # type: ignore[assignment]
    _, used = bringer.pinned("linux", pin)
    assert used.version == "6.12.9-1"
    assert used.sha256 == hashlib.sha256(package.read_bytes()).hexdigest()
    # The next run knows, without network.
    assert fetcher(cache, offline=True).pinned("linux", pin)[1] == used
    other = Pin("linux", "6.1.3-1", ("apt:linux=6.1.3-1",), sha256="1" * 64, series="6.1")
    with pytest.raises(SourceError):
        bringer.pinned("linux", other)


def ar_package(data: bytes, name: str = "data.tar.gz") -> bytes:
    def member(name: str, content: bytes) -> bytes:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        return header.encode() + content + b"\n" * (len(content) % 2)

    return b"!<arch>\n" + member("debian-binary", b"2.0\n") + member(name, data)


def test_a_debian_package_is_unpacked(tmp_path: Path) -> None:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("./usr/bin/tool")
        info.size = 4
        tar.addfile(info, BytesIO(b"tool"))
    package = tmp_path / "tool.deb"
    package.write_bytes(ar_package(buffer.getvalue()))
    into = tmp_path / "into"
    into.mkdir()
    assert (unpack(package, into) / "usr/bin/tool").read_bytes() == b"tool"


def damaged_archives() -> Iterator[tuple[str, bytes]]:
    yield "empty.tar.gz", b""
    yield "garbage.tar.gz", b"garbage" * 100
    yield "no-data.deb", ar_package(b"x", "control.tar.gz")
    yield "short.deb", ar_package(b"x" * 100)[:-50]
    yield "header.deb", b"!<arch>\nbroken"


@pytest.mark.parametrize(("name", "content"), list(damaged_archives()))
def test_a_damaged_archive(tmp_path: Path, cache: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    pin = Pin("t", "1.0", (f"path:{path}",), tree="0" * 40)
    with pytest.raises(TeecallError) as caught:
        fetcher(cache).pinned("t", pin)
    assert caught.value.exit_code == 99
    assert caught.value.remedy
    assert not [p for p in (cache / "trees").iterdir() if p.name.startswith("tmp")]


def sources(cache: Path, *sets: str) -> Sources:
    return Sources(load([], sets).value, QuietUi(), offline=True, cache=cache)


def test_a_file_of_the_users_that_is_no_tarball(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("OpenSBI")
    with pytest.raises(ConfigError, match=f"^opensbi.source: {path}: does not unpack") as caught:
        sources(cache, f"opensbi.source=path:{path}").materialise("opensbi")
    assert "name another" in caught.value.remedy and caught.value.details


def test_a_folder_of_the_users(tmp_path: Path, cache: Path) -> None:
    tree = fill(tmp_path / "t")
    text = f"opensbi.source=path:{tree}"
    first = sources(cache, text).identify("opensbi")
    assert first.id == f"tree-{tree_id(tree)}"
    assert sources(cache, text).materialise("opensbi") == tree
    (tree / "build").mkdir()
    (tree / "build/out.o").write_text("o")
    assert sources(cache, text).identify("opensbi") == first
    (tree / "a.c").write_text("int b;\n")
    assert sources(cache, text).identify("opensbi") != first


def test_a_commit_of_the_users(tmp_path: Path, cache: Path) -> None:
    tree = fill(tmp_path / "t")
    git(tmp_path, "init", "-q", str(tree))
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "one")
    wanted = git(tree, "rev-parse", "HEAD^{tree}")
    (tree / "a.c").write_text("not committed")
    bringer = sources(cache, f"opensbi.source=git:{tree}@HEAD")
    assert bringer.identify("opensbi").id == f"tree-{wanted}"
    assert tree_id(bringer.materialise("opensbi")) == wanted
    with pytest.raises(ConfigError, match="no revision 'v9'"):
        sources(cache, f"opensbi.source=git:{tree}@v9").identify("opensbi")


def test_what_is_not_there(cache: Path) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        sources(cache, "opensbi.source=path:/nowhere").identify("opensbi")
    with pytest.raises(ConfigError, match="/nowhere is not there"):
        sources(cache, "opensbi.source=git:/nowhere@v1").identify("opensbi")
    with pytest.raises(ConfigError, match=r"opensbi-9\.9"):
        sources(cache, "opensbi.version=9.9").identify("opensbi")
    with pytest.raises(ConfigError, match="has no hash"):
        sources(cache, "host.source=url:http://h/f").identify("linux")


def test_an_edit_of_a_part_is_seen(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Hashes are kept, however new the file is.
    monkeypatch.setattr(gittree, "_RACY_NS", -1)
    (tmp_path / "host/tvm").mkdir(parents=True)
    file = tmp_path / "host/tvm/main.c"
    file.write_text("int a;\n")
    config = load([], [f"host.files=path:{tmp_path / 'host'}"]).value

    def part() -> str:
        return Sources(config, QuietUi(), offline=True, cache=cache).part("host", "tvm")

    before = part()
    assert part() == before
    # As an editor saves it: another file of the same size and time.
    status = file.stat()
    edited = tmp_path / "edited"
    edited.write_text("int b;\n")
    os.utime(edited, ns=(status.st_atime_ns, status.st_mtime_ns))
    edited.replace(file)
    changed = part()
    assert changed != before
    (tmp_path / "host/tvm/more.c").write_text("")
    assert part() not in (before, changed)
    # The same content is the same part, and what is kept can be damaged.
    (tmp_path / "host/tvm/more.c").unlink()
    for kept in (cache / "stat").glob("*.json"):
        kept.write_text("{ damaged")
    assert part() == changed
