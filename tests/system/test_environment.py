# SPDX-License-Identifier: Apache-2.0
"""What the workstation does to a run: terminals close, disks fill, others take the processor."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from harness.resources import cache_dir
from tests.system.conftest import ROOT, Smoke, teecall
from tests.system.test_supervision import qemus_of, start, wait_until_gone

LIMIT_S = 150.0
_LISTENING = "0A"


def wait_until(what: Callable[[], object], otherwise: str) -> None:
    limit = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < limit, otherwise
        time.sleep(0.02)


def sockets_of(pid: int) -> set[str]:
    """Inodes of the sockets that a process has open."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[len("socket:[") : -1])
    return found


def tcp_listeners(pid: int) -> list[str]:
    """TCP ports (in hexadecimal) that a process listens on."""
    inodes = sockets_of(pid)
    rows = []
    for table in ("tcp", "tcp6"):
        rows += Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    fields = [row.split() for row in rows]
    return [row[1] for row in fields if row[3] == _LISTENING and row[9] in inodes]


def files_of(pid: int, folder: Path) -> set[str]:
    """Files below ``folder`` that a process has open for writing."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
            flags = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text().splitlines()[1]
        except OSError:
            continue
        if target.startswith(str(folder)) and int(flags.split()[1], 8) & os.O_ACCMODE:
            found.add(target)
    return found


def test_two_runs_share_nothing_and_open_no_port(tmp_path: Path) -> None:
    # Longer than a socket's address.
    folder = tmp_path / ("long-" * 12) / ("path-" * 12)
    folder.mkdir(parents=True)
    dirs = [folder / "a", folder / "b"]
    processes = [start(run_dir) for run_dir in dirs]
    try:
        for run_dir in dirs:
            wait_until((run_dir / "gdb.sock").is_socket, "no machine")
            wait_until(partial(qemus_of, run_dir), "no QEMU")
        pids = [qemus_of(run_dir)[0] for run_dir in dirs]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        written = [files_of(pid, folder) for pid in pids]
        assert all(written) and not written[0] & written[1]
        assert not sockets_of(pids[0]) & sockets_of(pids[1])
        assert [tcp_listeners(pid) for pid in pids] == [[], []]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [wait_until_gone(run_dir) for run_dir in dirs] == [[], []]


def test_a_tcp_port_would_be_seen(tmp_path: Path) -> None:
    """The check above can fail: a QEMU that is told to open a port is found."""
    run_dir = tmp_path / "run"
    extra = "qemu.extra_args=[-chardev, 'socket,id=x,port=0,host=127.0.0.1,server=on,wait=off']"
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "smoke", "--run-dir", str(run_dir), "--set", extra],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: any(tcp_listeners(pid) for pid in qemus_of(run_dir)), "not seen")
    finally:
        process.kill()
        process.wait()
    assert wait_until_gone(run_dir) == []


def test_closed_terminal_ends_everything(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "harness", "smoke", "--run-dir", str(run_dir)]
        os.execv(sys.executable, command)
    try:
        wait_until(lambda: qemus_of(run_dir), "QEMU did not start")
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert wait_until_gone(run_dir) == []
    assert '"INFRA"' in (run_dir / "run.json").read_text()


def limited(size: int) -> Callable[[], None]:
    """Let no file of the process grow beyond ``size`` bytes: the disk is full, for every user."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_full_disk_is_infra(smoke: Smoke, tmp_path: Path) -> None:
    smoke()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "smoke", "--run-dir", str(tmp_path / "run")],
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=limited(100_000),
        timeout=LIMIT_S,
    )
    assert done.returncode == 99, done.stdout
    assert "cannot write" in done.stdout and "initrd" in done.stdout, done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system of its own")
def test_full_file_system_is_infra(tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tiny", str(place)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this system lets nobody mount")
    try:
        done = teecall("smoke", "--run-dir", str(place / "run"))
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert done.returncode == 99, done.stdout
    assert "no space left to write" in done.stdout and "--run-dir" in done.stdout, done.stdout


def test_slow_workstation_passes(smoke: Smoke) -> None:
    """Eight times as much work as there are processors: slower, and nothing else."""
    count = 8 * (os.cpu_count() or 1)
    # They end by themselves, should the test be killed.
    loop = ["/bin/sh", "-c", "ulimit -t 60; while :; do :; done"]
    loops = [subprocess.Popen(loop) for _ in range(count)]
    try:
        result = smoke()
    finally:
        for process in loops:
            process.kill()
            process.wait()
    assert result.status == 0, result.screen


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system of its own")
def test_a_store_that_cannot_be_written_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in it boots; what is not, and where a run would go, has one clear error."""
    assert teecall("build", "-q").returncode == 0
    place = tmp_path / "cache"
    place.mkdir()
    if subprocess.run(
        ["mount", "--bind", str(cache_dir()), str(place)], stderr=subprocess.DEVNULL
    ).returncode:
        pytest.skip("this system lets nobody mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        monkeypatch.setenv("TEECALL_CACHE", str(place))
        monkeypatch.delenv("TEECALL_HISTORY", raising=False)
        done = teecall("smoke", "--run-dir", str(tmp_path / "run"))
        assert done.returncode == 0, done.stdout
        assert "the history does not have this run" in done.stdout
        for words in (["smoke"], ["build", "--set", f"tsm.flags=[-O1,-DX{os.getpid()}]"]):
            done = teecall(*words)
            assert done.returncode == 99, done.stdout
            assert "Read-only file system" in done.stdout and "TEECALL_CACHE=DIR" in done.stdout
            assert "Traceback" not in done.stdout
    finally:
        subprocess.run(["umount", str(place)], check=True)
