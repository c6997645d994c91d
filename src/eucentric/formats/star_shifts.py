"""The shift of every frame of one movie, as RELION's motion correction keeps it beside the micrograph.

RELION states by how many pixels of the movie a frame was moved to fit the first one, which is minus the
displacement of the specimen. Eucentric states the displacement of the specimen, in Å. Checked with the
program: a specimen that drifts by +3 px per frame gets rlnMicrographShiftX = -3, -6, ...
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.star import read_star, write_star

_GLOBAL_MOTION_ONLY = 0  # RELION's number for "no model of local motion"


@dataclass(frozen=True)
class FrameShifts:
    """How the specimen moved during one movie.

    Attributes:
        movie_path: The movie, as RELION shall find it.
        frames: Number of frames in the movie.
        height: Rows of a frame.
        width: Columns of a frame.
        pixel_size: Å/px of the movie.
        voltage: kV.
        dose_per_frame: e⁻/Å².
        pre_exposure: e⁻/Å² before the first frame.
        shifts: Displacement (x, y) of the specimen in each frame used, in Å, relative to the first one.
        gain_path: The gain reference, or None.
        binning: By how much the micrograph is smaller than the movie.
        first_frame: Number of the first frame used, from 1.
    """

    movie_path: str
    frames: int
    height: int
    width: int
    pixel_size: float
    voltage: float
    dose_per_frame: float
    pre_exposure: float
    shifts: NDArray[np.float64]
    gain_path: str | None = None
    binning: float = 1.0
    first_frame: int = 1


def write_shifts_star(path: str | Path, motion: FrameShifts) -> None:
    """Write the shifts of one movie as RELION does (`data_general`, `data_global_shift`).

    Raises:
        ValueError: `motion.shifts` is not finite, or not one (x, y) for each frame from `first_frame` on.
        OSError: The file cannot be written.
    """
    shifts = np.asarray(motion.shifts, dtype=np.float64)
    used = len(shifts)
    if shifts.shape != (used, 2) or not 0 < used <= motion.frames - motion.first_frame + 1:
        raise ValueError(f"shifts of shape {shifts.shape} do not fit {motion.frames} frames ({path})")
    general: dict[str, str | int | float] = {
        "rlnImageSizeX": motion.width,
        "rlnImageSizeY": motion.height,
        "rlnImageSizeZ": motion.frames,
        "rlnMicrographMovieName": motion.movie_path,
        "rlnMicrographBinning": motion.binning,
        "rlnMicrographOriginalPixelSize": motion.pixel_size,
        "rlnMicrographDoseRate": motion.dose_per_frame,
        "rlnMicrographPreExposure": motion.pre_exposure,
        "rlnVoltage": motion.voltage,
        "rlnMicrographStartFrame": motion.first_frame,
        "rlnMotionModelVersion": _GLOBAL_MOTION_ONLY,
    }
    if motion.gain_path is not None:
        general["rlnMicrographGainName"] = motion.gain_path
    moved = np.round(-shifts / motion.pixel_size, 6) + 0.0  # adding zero turns -0 into 0
    table = pd.DataFrame(
        {
            "rlnMicrographFrameNumber": np.arange(motion.first_frame, motion.first_frame + used),
            "rlnMicrographShiftX": moved[:, 0],
            "rlnMicrographShiftY": moved[:, 1],
        }
    )
    write_star(path, {"general": general, "global_shift": table})


def read_shifts_star(path: str | Path) -> FrameShifts:
    """Read the shifts of one movie as RELION writes them; its model of local motion is passed over.

    Raises:
        FormatError: The file is damaged or not of this kind.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    blocks = read_star(path)
    general, table = blocks.get("general"), blocks.get("global_shift")
    mend = "give the STAR file that motion correction wrote beside the micrograph"
    if not isinstance(general, dict) or not isinstance(table, pd.DataFrame):
        raise FormatError(path, "it does not hold the shifts of a movie's frames", mend)
    try:
        pixel_size = float(general["rlnMicrographOriginalPixelSize"])
        moved = table[["rlnMicrographShiftX", "rlnMicrographShiftY"]].to_numpy(dtype=np.float64)
        return FrameShifts(
            movie_path=str(general["rlnMicrographMovieName"]),
            frames=int(general["rlnImageSizeZ"]),
            height=int(general["rlnImageSizeY"]),
            width=int(general["rlnImageSizeX"]),
            pixel_size=pixel_size,
            voltage=float(general["rlnVoltage"]),
            dose_per_frame=float(general["rlnMicrographDoseRate"]),
            pre_exposure=float(general["rlnMicrographPreExposure"]),
            shifts=-moved * pixel_size + 0.0,
            gain_path=str(general["rlnMicrographGainName"]) if general.get("rlnMicrographGainName") else None,
            binning=float(general["rlnMicrographBinning"]),
            first_frame=int(general["rlnMicrographStartFrame"]),
        )
    except (KeyError, ValueError) as error:
        raise FormatError(path, f"its values are missing or no numbers ({error})", mend) from error
