"""Whether something may be written where it is wanted."""

from collections.abc import Callable
from pathlib import Path

from eucentric.formats.errors import FormatError


def check_places(
    source: Path, target: Path, overwrite: bool, replaceable: Callable[[Path], bool] = Path.is_file
) -> None:
    """Refuse to write over what is there, unless that is wanted and it is of the same kind.

    Args:
        source: What is read.
        target: Where it shall be written.
        overwrite: Whether what is there is to be replaced.
        replaceable: Tells whether what is there is of the kind that is written.

    Raises:
        FormatError: The target is there, is the source or within it, or is something else.
    """
    if target.exists() or target.is_symlink():
        if target.exists() and target.samefile(source):
            raise FormatError(target, "it is the file that is read", "give another name")
        if not overwrite:
            raise FormatError(target, "it is there already", "give another name, or --overwrite")
        if target.is_symlink() or not replaceable(target):
            what = "it is there already, and something else than what is written"
            raise FormatError(target, what, "give another name, or remove it")
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise FormatError(target, "it lies in the folder that is read", "give another place")
    if not target.parent.is_dir():
        raise FormatError(target, "its folder is not there", f"make it first: mkdir -p {target.parent}")
