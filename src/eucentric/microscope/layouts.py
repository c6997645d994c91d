"""How acquisition programs lay out their folders: which files are movies, and what belongs to them.

All of it is told from paths and names, so that no file need be opened:

- EPU: a movie is `FoilHole_*_Data_*_DATE_TIME` with something behind the time, such as `_Fractions.tiff` or
  `_EER.eer`; its metadata have the same name up to the time, and `.xml`; what groups movies is the folder
  that holds `Images-Disc*`.
- SerialEM: movies lie in a folder with `.mdoc`, `CountRef*`, `SuperRef*` or `defects*.txt`; their metadata
  are called as they are, with or without the movie's ending, and `.mdoc`; what groups them is the nearest
  folder that is not just called frames.
- plain: any image; metadata as SerialEM's; no groups.

EPU's other images are none: the sum beside the movie (the same name without anything behind the time), grid
squares, foil holes, atlases and their tiles. A gain reference is none anywhere.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Literal

from eucentric.microscope.companions import companions_of
from eucentric.microscope.gain_search import is_reference

LayoutName = Literal["EPU", "SerialEM", "plain"]

_EPU_DATA = re.compile(
    r"(?P<exposure>FoilHole_(?P<hole>\d+)_Data_\w*?_\d{8}_\d{4,6})(?P<end>[_-]\w+)?\.\w+", re.ASCII
)
_EPU_OTHER = re.compile(r"(FoilHole|GridSquare|Atlas|Tile)_\d")
_EPU_SQUARE = re.compile(r"GridSquare_(\d+)")
_EPU_BELOW = re.compile(r"Images-Disc\d+|GridSquare_\d+")

_SERIALEM_SIGNS = ("*.mdoc", "CountRef*", "SuperRef*", "defects*.txt")
_LOOKED_AT = 5000
"""Most names in a folder among which signs of SerialEM are looked for."""

MEANS_NOTHING = {"frames", "movies", "raw", "data", "tif", "tiff", "mrc", "eer", "micrographs", "images"}
"""Names of folders that name no sample, in small letters."""


@dataclass(frozen=True)
class Place:
    """What the path of a movie tells.

    Attributes:
        layout: Which program's manner it is.
        group: What tells grids or sessions apart, a folder's name; empty where there is nothing.
        companions: Where its metadata file would lie.
        grid_square: EPU's number of the grid square.
        hole: EPU's number of the foil hole.
    """

    layout: LayoutName
    group: str
    companions: tuple[Path, ...]
    grid_square: str | None = None
    hole: str | None = None


def is_movie(name: str) -> bool:
    """Say whether a file of this name can be a movie: it is neither reference nor another image of EPU."""
    if is_reference(name):
        return False
    data = _EPU_DATA.fullmatch(name)
    return data["end"] is not None if data else not _EPU_OTHER.match(name)


def place_of(
    movie: Path, roots: Sequence[Path], rules: Sequence[str], *, serialem: bool | None = None
) -> Place:
    """Return what a movie's path tells.

    Args:
        movie: Its path, below one of the roots.
        roots: The folders that are watched. A metadata file may lie below another root than the movie, in the
            same folders below that.
        rules: How companions are named; see `companions_of`. EPU's are known besides.
        serialem: Whether it is SerialEM that writes to this folder; None to look for signs of that.
    """
    root = next((each for each in roots if movie.is_relative_to(each)), movie.parent)
    parts = movie.parent.relative_to(root).parts
    beside = companions_of(movie, rules)
    if data := _EPU_DATA.fullmatch(movie.name):
        beside.insert(0, movie.with_name(f"{data['exposure']}.xml"))
    companions = dict.fromkeys([*beside, *_in_other_roots(beside, root, roots)])
    if data:
        square = next((match[1] for part in parts if (match := _EPU_SQUARE.fullmatch(part))), None)
        above = [*parts[: next((n for n, part in enumerate(parts) if _EPU_BELOW.fullmatch(part)), None)]]
        return Place("EPU", _group(above, root, roots), tuple(companions), square, data["hole"])
    if _has_signs_of_serialem(movie.parent, root) if serialem is None else serialem:
        return Place("SerialEM", _group(parts, root, roots), tuple(companions))
    return Place("plain", "", tuple(companions))


def _in_other_roots(files: Sequence[Path], root: Path, roots: Sequence[Path]) -> list[Path]:
    below = [file.relative_to(root) for file in files if file.is_relative_to(root)]
    return [other / file for other in roots if other != root for file in below]


def _group(parts: Sequence[str], root: Path, roots: Sequence[Path]) -> str:
    """Return the last folder's name that means something, that of the root where there are several roots."""
    names = [*([root.name] if len(roots) > 1 else []), *parts]
    return next((name for name in reversed(names) if name.lower() not in MEANS_NOTHING), "")


def _has_signs_of_serialem(folder: Path, root: Path) -> bool:
    for each in {folder, folder.parent if folder != root else folder}:
        try:
            with os.scandir(each) as entries:
                names = (entry.name for entry in islice(entries, _LOOKED_AT))
                if any(fnmatch(name, sign) for name in names for sign in _SERIALEM_SIGNS):
                    return True
        except OSError:
            continue
    return False
