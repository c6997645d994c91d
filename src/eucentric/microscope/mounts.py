"""Where a folder lies: on a disk of this machine, or on another machine's."""

from pathlib import Path

import psutil

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "glusterfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "orangefs", "panfs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs",
    "vmhgfs", "wekafs",
}  # fmt: skip


def is_network_type(type_: str) -> bool:
    """Say whether other machines can change a file system of this type without an event here.

    Whatever FUSE carries counts as such, but for the local disks it mounts (`fuseblk`).
    """
    return type_ in _NETWORK or (type_.startswith("fuse") and type_ != "fuseblk")


def is_on_network(folder: Path) -> bool:
    """Say whether `folder`, or anything mounted below it, lies on a network file system.

    A folder that does not exist yet is judged by where it would lie.
    """
    path = folder.resolve()
    nearest = (Path("/"), False)
    for mount in psutil.disk_partitions(all=True):
        point = Path(mount.mountpoint)
        network = is_network_type(mount.fstype)
        if network and path in point.parents:
            return True
        if path.is_relative_to(point) and point.is_relative_to(nearest[0]):
            nearest = (point, network)  # of several on one point, the last mounted hides the others
    return nearest[1]
