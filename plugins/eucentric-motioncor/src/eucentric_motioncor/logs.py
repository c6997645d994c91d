"""The shifts that MotionCor3 logs, in our units and signs.

It names its logs after the movie: `movie-Full.log` where frames were moved as a whole, else
`movie-Patch-Full.log` and `movie-Patch-Patch.log`. A line of the first two is a frame's number and by how
many pixels of the movie it was moved along x and y to fit the reference frame, the middle one. A line of
the third is a frame's number, the centre of the patch, by how many pixels it was moved beyond that, and 1
where the program did not trust it.

Moved by +x means that the specimen had gone by -x, as with RELION; that is read from the program's published
source (the phases and the interpolation with which it moves frames), not measured.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eucentric.engine.programs import ProgramFailed
from eucentric.formats import PatchShifts


def read_frame_shifts(path: Path, frames: int, pixel_size: float, version: str) -> NDArray[np.float64]:
    """Read the motion of the whole field.

    Args:
        path: The log.
        frames: How many there must be.
        pixel_size: Å/px of the movie.
        version: Of the program, for messages.

    Returns:
        Displacement (x, y) of the specimen in every frame relative to the first, Å, [frame, 2].

    Raises:
        ProgramFailed: It is not as documented.
    """
    table = _table(path, 3, version)
    if not np.array_equal(table[:, 0], np.arange(1, frames + 1)):
        raise _unexpected(path, version, f"{len(table)} lines for {frames} frames")
    shifts: NDArray[np.float64] = (table[0, 1:] - table[:, 1:]) * pixel_size + 0.0
    return shifts


def read_patch_shifts(path: Path, frames: int, pixel_size: float, version: str) -> PatchShifts | None:
    """Read the motion of patches beyond that of the whole field; arguments and errors as above.

    Returns:
        Relative to the first frame, without what the program did not trust; None where nothing is left.
    """
    table = _table(path, 6, version)
    if len(table) % frames or not np.array_equal(table[:, 0] - 1, np.arange(len(table)) % frames):
        raise _unexpected(path, version, f"{len(table)} lines for {frames} frames")
    patches = table.reshape(-1, frames, 6)
    patches = patches[patches[:, 0, 5] == 0]  # without the first frame there is nothing to relate to
    moved = patches[:, :1, 3:5] - patches[:, :, 3:5] + 0.0
    good = patches[:, :, 5] == 0
    if not good.any():
        return None
    return PatchShifts(
        frames=patches[:, :, 0][good].astype(np.int64),
        x=patches[:, :, 1][good],
        y=patches[:, :, 2][good],
        shifts=moved[good] * pixel_size,
    )


def _table(path: Path, columns: int, version: str) -> NDArray[np.float64]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        table = np.array([[float(word) for word in line] for line in lines], np.float64)
    except (OSError, ValueError) as error:
        raise _unexpected(path, version, str(error)) from error
    if table.ndim != 2 or table.shape[1] != columns or not np.isfinite(table).all():
        raise _unexpected(path, version, f"a table of shape {table.shape}")
    return table


def _unexpected(path: Path, version: str, found: str) -> ProgramFailed:
    return ProgramFailed(
        f"MotionCor3 {version} wrote {path.name} otherwise than version 1.2.1 does ({found}); please"
        " report it with the task's log."
    )
