"""A SQLite database on a file system that other machines share is refused."""

from pathlib import Path

import pytest

from eucentric.store import Database, Site, StoreError, database
from eucentric.store.file_systems import shared_file_system

MOUNTS = r"""
proc /proc proc rw,relatime 0 0
/dev/sda1 / ext4 rw 0 0
server:/export /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/local xfs rw 0 0
//nas/share /mnt/two\040words cifs rw 0 0
user@host:/data /mnt/ssh fuse.sshfs rw 0 0
/dev/sdc1 /mnt/usb fuseblk rw 0 0
gpfs0 /gpfs gpfs rw 0 0
/dev/sdd1 /twice ext4 rw 0 0
server:/twice /twice nfs rw 0 0
nonsense
"""


@pytest.mark.parametrize(
    ("folder", "type_"),
    [
        ("/srv/site", None),
        ("/", None),
        ("/home/me/site", "nfs4"),
        ("/home", "nfs4"),
        ("/homely", None),
        ("/home/local/site", None),
        ("/mnt/two words/site", "cifs"),
        ("/mnt/ssh/site", "fuse.sshfs"),
        ("/mnt/usb/site", None),
        ("/gpfs/site", "gpfs"),
        ("/twice/site", "nfs"),
    ],
)
def test_the_nearest_mount_decides(folder: str, type_: str | None) -> None:
    assert shared_file_system(Path(folder), MOUNTS) == type_


def test_without_a_list_of_mounts_nothing_is_refused() -> None:
    assert shared_file_system(Path("/home/me"), "") is None


def test_this_machine_has_a_list_of_mounts(tmp_path: Path) -> None:
    assert shared_file_system(tmp_path) is None


def test_a_site_on_a_network_disk_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site.create(tmp_path)
    monkeypatch.setattr(database, "shared_file_system", lambda folder: "nfs4" if folder == tmp_path else None)
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*PostgreSQL"):
        Database.open(site)
    assert not (tmp_path / "eucentric.db").exists()
