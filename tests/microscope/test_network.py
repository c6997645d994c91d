"""The watcher on real network mounts, written to behind the client's back."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eucentric.microscope.mounts import is_on_network

NEVER = 1000.0
SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")


class Share(NamedTuple):
    """One folder as its server has it, and as a client sees it."""

    server: Path
    client: Path


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@contextmanager
def sshfs(server: Path, client: Path) -> Iterator[None]:
    if shutil.which("sshfs") is None or not SFTP_SERVER.exists() or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("no sshfs (packages sshfs and openssh-sftp-server), or /dev/fuse is not allowed")
    without_ssh = client.parent / "sftp"
    without_ssh.write_text(f"#!/bin/sh\nexec {SFTP_SERVER}\n")
    without_ssh.chmod(0o700)
    how = f"ssh_command={without_ssh},dir_cache=no,attr_timeout=0,entry_timeout=0"
    run("sshfs", "-o", how, f"here:{server}", client)
    yield
    run("fusermount3", "-u", client)


@contextmanager
def nfs(server: Path, client: Path) -> Iterator[None]:
    if os.geteuid() != 0 or shutil.which("exportfs") is None or shutil.which("mount.nfs") is None:
        pytest.skip("mounting NFS takes the superuser and the packages nfs-kernel-server and nfs-common")
    threads = Path("/proc/fs/nfsd/threads")
    if not threads.exists() or threads.read_text().strip() == "0":
        pytest.skip("no NFS server runs on this machine (service nfs-kernel-server)")
    export = f"127.0.0.1:{server}"
    run("exportfs", "-o", f"rw,no_root_squash,insecure,no_subtree_check,fsid={uuid.uuid4()}", export)
    try:
        run("mount", "-t", "nfs", export, client)  # with the client's usual caches
        yield
        run("umount", "-l", client)
    finally:
        run("exportfs", "-u", export)


@pytest.fixture(params=[sshfs, nfs], ids=["sshfs", "nfs"])
def share(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Share]:
    share = Share(tmp_path / "server", tmp_path / "client")
    share.server.mkdir()
    share.client.mkdir()
    with request.param(share.server, share.client):
        yield share


def test_what_another_machine_writes(share: Share, watching: Callable[..., Any]) -> None:
    assert is_on_network(share.client)
    assert not is_on_network(share.server)
    for number in range(100):
        (share.server / f"old_{number}.tiff").write_text("x")
        os.utime(share.server / f"old_{number}.tiff", (1e9 + number,) * 2)
    expected = [f"old_{number}.tiff" for number in range(100)]
    files = watching(share.client, poll_interval=0.2, quiet_period=1.5)
    files.until_names(*expected)
    for square in range(3):
        folder = share.server / f"GridSquare_{square}/Data"
        folder.mkdir(parents=True)
        (folder / f"{square}.tiff").write_text("new")
        expected.append(f"{square}.tiff")
    files.until_names(*expected)
    (share.server / "GridSquare_1/Data/more.tiff").write_text("later")
    files.until_names(*expected, "more.tiff")


def test_a_movie_that_grows_on_another_machine(share: Share, watching: Callable[..., Any]) -> None:
    files = watching(share.client, poll_interval=0.2, quiet_period=2.0)
    files.until_quiet()
    with (share.server / "slow.tiff").open("wb") as file:
        for _ in range(10):
            file.write(b"x" * 1000)
            file.flush()
            time.sleep(0.5)
            assert files.names == []
    files.until_names("slow.tiff")
    assert [found.size for found in files.files] == [10_000]


def test_what_this_machine_writes_comes_by_its_events(share: Share, watching: Callable[..., Any]) -> None:
    files = watching(share.client, poll_interval=0.3, quiet_period=NEVER)
    files.until_quiet()
    (share.client / "closed.tiff").write_text("x")
    (share.client / ".renamed").write_text("x")
    (share.client / ".renamed").rename(share.client / "renamed.tiff")
    files.until(lambda: sorted(set(files.names)) == ["closed.tiff", "renamed.tiff"])
