"""Positions of particles between RELION's STAR, EMAN's BOX, EMAN2's JSON and cryoSPARC, read back."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from eucentric.formats.coordinate_files import WRITTEN, Positions, read_positions, write_positions
from eucentric.formats.errors import FormatError
from eucentric.formats.places import check_places
from eucentric.formats.replacing import replacing

_CLOSE = 1e-6  # px: corners and middles are sums and differences of floats


@dataclass(frozen=True)
class CoordinateOptions:
    """How coordinates are converted.

    Attributes:
        to: Ending of the files of a folder, one for each micrograph, without the dot.
        micrograph: Only this one; its name, or the end of it.
        shape: Rows and columns of the micrographs, for `.cs` files that do not say.
        box: Side of the boxes in px, for BOX files.
        overwrite: Whether what is there is replaced.
    """

    to: str | None = None
    micrograph: str | None = None
    shape: tuple[int, int] | None = None
    box: int | None = None
    overwrite: bool = False


@dataclass
class ConvertedCoordinates:
    """What came of a conversion.

    Attributes:
        source: What was read.
        target: The new file, or folder.
        counts: Number of positions in each micrograph.
        lost: What the new files do not keep, by name.
    """

    source: Path
    target: Path
    counts: dict[str, int]
    lost: dict[str, str] = field(default_factory=dict)


def convert_coordinates(
    source: Path, target: Path, options: CoordinateOptions | None = None
) -> ConvertedCoordinates:
    """Convert positions of particles.

    Args:
        source: A STAR, BOX, EMAN2 JSON or `.cs` file.
        target: A STAR, BOX or JSON file; or a folder, with `options.to`, of a file for each micrograph. It
            appears when it is complete and has been read back.
        options: How.

    Raises:
        FormatError: The source cannot be read, has no such micrograph or several where one is needed; the
            target is there already or of another format; or what was read back is not what was written.
        OSError: A file cannot be opened or written.
    """
    options = options or CoordinateOptions()
    found = _chosen(source, read_positions(source, options.shape), options.micrograph)
    ending = target.suffix.lower()
    single = ending in WRITTEN
    if not single:
        ending = f".{options.to}"
        if ending not in WRITTEN:
            mend = "give .star, .box or .json, or a folder and --to box, json or star"
            raise FormatError(target, "its ending tells no format of coordinates that is written", mend)
    check_places(
        source,
        target,
        options.overwrite,
        Path.is_file if single else lambda path: _is_folder_of(path, ending),
    )
    if single and ending != ".star" and len(found.tables) > 1:
        what = f"it has {len(found.tables)} micrographs, a file {ending} has room for one"
        mend = f"choose one with --micrograph, or give a folder and --to {ending[1:]}"
        raise FormatError(source, what, mend)
    result = ConvertedCoordinates(
        source, target, {name: len(table) for name, table in found.tables.items()}, _lost(found, ending)
    )
    with replacing(target) as temporary:
        try:
            _write(temporary, ending, found.tables, options.box, single)
        except ValueError as error:
            raise FormatError(target, str(error), "give what is missing, or choose another format") from error
        except FormatError as error:  # named after a file that is not there for long
            raise FormatError(target, error.what, error.mend) from error
    return result


def _chosen(source: Path, found: Positions, micrograph: str | None) -> Positions:
    if micrograph is None:
        return found
    names = [name for name in found.tables if name == micrograph or Path(name).stem == Path(micrograph).stem]
    if len(names) != 1:
        listed = ", ".join(list(found.tables)[:8])
        what = f"it has {len(names)} micrographs called {micrograph}"
        raise FormatError(source, what, f"choose one of: {listed}")
    return Positions({names[0]: found.tables[names[0]]}, found.others)


def _is_folder_of(path: Path, ending: str) -> bool:
    return path.is_dir() and all(each.is_file() and each.suffix == ending for each in path.iterdir())


def _lost(found: Positions, ending: str) -> dict[str, str]:
    columns = set().union(*(table.columns for table in found.tables.values()))
    lost = {}
    if "score" in columns and ending != ".star":
        lost["scores"] = "how good each pick is"
    if "width" in columns and ending != ".box":
        lost["boxes"] = "their size"
    if found.others:
        more = f" and {len(found.others) - 8} more" if len(found.others) > 8 else ""
        lost["other values"] = ", ".join(found.others[:8]) + more
    return lost


def _write(path: Path, ending: str, tables: dict[str, pd.DataFrame], box: int | None, single: bool) -> None:
    """Write one file, or a folder of them, and compare what is read from them."""
    if not single:
        path.mkdir()
        stems = [Path(name).stem if Path(name).suffix else Path(name).name for name in tables]
        if len(set(stems)) < len(stems):
            raise ValueError("several micrographs have the same name in different folders")
        for stem, (name, table) in zip(stems, tables.items(), strict=True):
            _write_one(path / f"{stem}{ending}", {name: table}, box)
        return
    named = path.with_name(path.name + ending)  # the ending tells the format to be read back
    try:
        _write_one(named, tables, box)
        named.replace(path)
    finally:
        named.unlink(missing_ok=True)


def _write_one(path: Path, tables: dict[str, pd.DataFrame], box: int | None) -> None:
    write_positions(path, tables, box)
    back = read_positions(path).tables
    if len(back) != len(tables) or not all(map(_same, tables.values(), back.values())):
        raise FormatError(path, "its positions were read back as others", "choose another format")


def _same(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    if len(before) != len(after):
        return False
    return all(
        np.allclose(before[name].to_numpy(float), after[name].to_numpy(float), rtol=0, atol=_CLOSE)
        for name in ("x", "y", "score")
        if name in before and name in after
    )
