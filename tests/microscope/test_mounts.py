from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from eucentric.microscope.mounts import is_network_type, is_on_network


@pytest.mark.parametrize("type_", ["nfs", "nfs4", "cifs", "smb3", "gpfs", "lustre", "beegfs", "fuse.sshfs"])
def test_network_types(type_: str) -> None:
    assert is_network_type(type_)


@pytest.mark.parametrize("type_", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "nfsd"])
def test_local_types(type_: str) -> None:
    assert not is_network_type(type_)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/data/krios/session", True),
        ("/data/krios", True),
        ("/data/kriosphere", False),
        ("/data/krios/scratch/a", False),
        ("/data", True),  # the network lies below it
        ("/home/user", False),
        ("/twice", True),
    ],
)
def test_the_nearest_mount_decides(monkeypatch: pytest.MonkeyPatch, folder: str, expected: bool) -> None:
    mounts = [
        ("/", "ext4"),
        ("/data/krios", "cifs"),
        ("/data/krios/scratch", "xfs"),
        ("/twice", "ext4"),
        ("/twice", "nfs4"),
    ]
    listed = [SimpleNamespace(mountpoint=point, fstype=type_) for point, type_ in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: listed)  # noqa: A006 - psutil's own name
    assert is_on_network(Path(folder)) is expected


def test_a_temporary_folder_here_is_local(tmp_path: Path) -> None:
    assert not is_on_network(tmp_path)
