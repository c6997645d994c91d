"""`eucentric-rosettasciio`: the images in a file, as MRC files that everything else reads."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eucentric.formats import FormatError, write_mrc
from eucentric.formats.image_info import believable_pixel_size
from eucentric_rosettasciio.formats import load
from eucentric_rosettasciio.signals import described

_TYPES = {"b": "f4", "i": "f4", "u": "f4", "f": "f4"}
_KEPT = ("int8", "uint8", "int16", "uint16", "float16", "float32")
_LOSSLESS_TO = 2**24
"""Whole numbers up to here are exact in MRC's 32-bit floats."""


def write_images(path: Path, folder: Path) -> tuple[list[Path], list[str]]:
    """Write every image and stack in a file as MRC, in MRC row order.

    Args:
        path: The file.
        folder: Where to; it is made. Files are called as the file, with a number behind it where there are
            several.

    Returns:
        The files that were written, and a sentence for each part of the file that is no image, or whose
        numbers MRC cannot hold.

    Raises:
        FormatError: The file cannot be read.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, left_out = [], []
    signals = load(path)
    for number, signal in enumerate(signals):
        target = folder / (f"{path.stem}_{number}.mrc" if len(signals) > 1 else f"{path.stem}.mrc")
        reason = _unwritable(signal)
        if reason:
            left_out.append(f"{path.name}: part {number} is not written: {reason}.")
            continue
        try:
            write_mrc(target, _frames(signal["data"]), _pixel_size(signal))
        except (OverflowError, ValueError) as error:
            left_out.append(f"{path.name}: part {number} is not written: {error}.")
            continue
        written.append(target)
    return written, left_out


def _unwritable(signal: Mapping[str, Any]) -> str:
    data = signal["data"]
    if data.ndim < 2 or any(axis.energy_step for axis in described(signal).axes):
        return "it holds spectra"
    if data.dtype.names or data.dtype.kind not in _TYPES:
        return f"its numbers are of type {data.dtype}"
    return ""


def _pixel_size(signal: Mapping[str, Any]) -> float | None:
    """Return Å per pixel where it is the same along rows and columns, and can be one of a microscope."""
    rows, columns = (axis.step for axis in described(signal).axes[-2:])
    if not rows or not columns or abs(rows / columns - 1) > 1e-3:
        return None
    return believable_pixel_size(columns)


def _frames(data: Any) -> Iterator[NDArray[Any]]:
    """Yield the images of a stack or scan, first row at the bottom, of a type that MRC has."""
    for place in np.ndindex(data.shape[:-2]):
        frame = np.asarray(data[place])
        if str(frame.dtype) not in _KEPT:
            if frame.dtype.kind in "iu" and frame.size and np.abs(frame.astype("f8")).max() > _LOSSLESS_TO:
                raise OverflowError("its whole numbers are larger than MRC's 32-bit floats hold exactly")
            frame = frame.astype(_TYPES[frame.dtype.kind])
        yield np.ascontiguousarray(frame[::-1])


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="eucentric-rosettasciio", description="Write the images in files as MRC."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files that RosettaSciIO reads")
    parser.add_argument(
        "--to", type=Path, default=Path(), metavar="FOLDER", help="where to write (default: here)"
    )
    given = parser.parse_args()
    failed = False
    for file in given.files:
        try:
            written, left_out = write_images(file, given.to)
        except (FormatError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            failed = True
            continue
        sys.stdout.write("".join(f"{each}\n" for each in written))
        sys.stderr.write("".join(f"{each}\n" for each in left_out))
    sys.exit(1 if failed else 0)
