"""Where a SQLite database may lie: on a disk that no other machine can reach."""

from pathlib import Path

# File systems that several machines reach at once, or whose locks are not to be relied upon. Shares between a
# virtual machine and its host (9p, virtiofs) are left out: sandboxes keep all of their files on one.
_SHARED = {
    "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "gfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs",
    "vboxsf", "vmhgfs", "wekafs",
}  # fmt: skip
_LOCAL_FUSE = {"fuseblk", "fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.encfs", "fuse.mergerfs"}
_MOUNTS = Path("/proc/mounts")


def shared_file_system(folder: Path, mounts: str | None = None) -> str | None:
    """Return the type of `folder`'s file system if other machines share it (`nfs4`), otherwise None.

    Args:
        folder: An absolute path without links; it need not exist.
        mounts: What is mounted, as text in the format of /proc/mounts; by default this machine's.
    """
    if mounts is None:
        mounts = _MOUNTS.read_text(errors="surrogateescape") if _MOUNTS.exists() else ""
    nearest, type_ = Path("/"), ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(_unescape(fields[1]))
        # Of several on one point, the last mounted hides the others.
        if folder.is_relative_to(point) and point.is_relative_to(nearest):
            nearest, type_ = point, fields[2].lower()
    other_fuse = type_.startswith("fuse") and type_ not in _LOCAL_FUSE
    return type_ if type_ in _SHARED or other_fuse else None


def _unescape(text: str) -> str:
    """Undo the octal escapes of /proc/mounts: space, tab, newline and backslash."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text
