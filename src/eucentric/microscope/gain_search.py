"""Finding the gain reference and the file of bad pixels that belong to a movie.

They lie in the movie's folder, in one of those above it up to the watched one, or below one of these in a
folder whose name says so (`Gain`, `References`, EPU's `ImagesForProcessing`). What the metadata name comes
first; else what is called as references are, the newest of them.
"""

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from eucentric.microscope.naming import file_name

_NAME = re.compile(r"^(CountRef|SuperRef)|(?<![a-z])gain(?![a-z])|gain_?ref|\.gain$", re.IGNORECASE)

GAIN_ENDINGS = (".gain", ".mrc", ".tif", ".tiff", ".dm4", ".dm3")
DEFECT_NAMES = ("defects*.txt",)

_FOLDERS = ("gain", "reference", "imagesforprocessing")
_DEPTH = 4
_MOST_FOLDERS = 200


def is_reference(name: str) -> bool:
    """Say whether a file of this name is a gain reference.

    They are called `CountRef_*` and `SuperRef_*` by SerialEM, `20240830_103455_EER_GainReference.gain` by
    EPU, and `gain.mrc` or `K3_gain_x1.mrc` by people; but `against_0001.tif` is none.
    """
    return _NAME.search(name) is not None


def find_gain(movie: Path, root: Path, named: str | None) -> Path | None:
    """Return the gain reference of a movie, or None where there is none.

    Args:
        movie: Path of the movie.
        root: The watched folder that holds it.
        named: What the metadata call the reference, by any path; a file of another format with the same
            name is taken as well, since facilities convert them.
    """
    files = [file for file in _around(movie, root) if file.suffix.lower() in GAIN_ENDINGS and file != movie]
    if named is not None and (found := _called(files, file_name(named))):
        return found
    return _newest(file for file in files if is_reference(file.name))


def find_defects(movie: Path, root: Path, named: str | None) -> Path | None:
    """Return the file of bad pixels of a movie, as `find_gain`; without a name, SerialEM's `defects*.txt`."""
    files = list(_around(movie, root))
    if named is not None and (found := _called(files, file_name(named))):
        return found
    return _newest(file for file in files if any(fnmatch(file.name, name) for name in DEFECT_NAMES))


def _called(files: Sequence[Path], name: str) -> Path | None:
    stem = Path(name).stem
    return next((file for file in files if file.name == name), None) or next(
        (file for file in files if file.stem == stem), None
    )


def _newest(files: Iterator[Path]) -> Path | None:
    return max(files, key=lambda file: (file.stat().st_mtime, file.name), default=None)


def _around(movie: Path, root: Path) -> Iterator[Path]:
    """Yield the files near a movie that may be references, those of nearer folders first."""
    left = _MOST_FOLDERS
    for folder in (movie.parent, *movie.parent.parents):
        within = folder.is_relative_to(root)
        if not within:
            return
        inner = [folder]
        for depth in range(_DEPTH):
            deeper: list[Path] = []
            for each in inner[:left]:
                files, folders = _listed(each)
                yield from files
                deeper += [sub for sub in folders if depth or _says_reference(sub.name)]
            left -= len(inner)
            inner = deeper


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files that can be references, and the folders, in `folder`."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.name.lower().endswith((*GAIN_ENDINGS, ".txt")) and entry.is_file():
                    files.append(Path(entry.path))
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def _says_reference(name: str) -> bool:
    return any(word in name.lower() for word in _FOLDERS)
