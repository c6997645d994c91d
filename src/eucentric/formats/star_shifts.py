"""The shift of every frame of one movie, as RELION's motion correction keeps it beside the micrograph.

RELION states by how many pixels of the movie a frame was moved to fit the first one, which is minus the
displacement of the specimen. Eucentric states the displacement of the specimen, in Å. Checked with the
program: a specimen that drifts by +3 px per frame gets rlnMicrographShiftX = -3, -6, ...

What moves differently from the whole field is a polynomial, added to the shift of the frame: third order in
time (t = 0 for the first frame; no constant), second order in u = x / width - 1/2 and v = y / height - 1/2
(`FrameShifts.model`). What single patches showed, apart from the shift of the whole, is in a table beside it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eucentric.formats.errors import FormatError
from eucentric.formats.star import StarBlock, read_star, write_star

_GLOBAL_MOTION_ONLY, _POLYNOMIAL = 0, 1  # RELION's numbers of models of local motion


@dataclass(frozen=True)
class PatchShifts:
    """What single patches of a movie showed beyond the motion of the whole; a row for each time and patch.

    Attributes:
        frames: Number of the frame, from 1 (the middle one, where frames were summed to be measured), [n].
        x: Centre of the patch, px of the movie, [n].
        y: The same along y.
        shifts: Displacement (x, y) of the specimen there relative to that of the whole field, Å, [n, 2].
    """

    frames: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    shifts: NDArray[np.float64]


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
        model: Displacement beyond `shifts`, in Å, or None: coefficients [axis, term, power] of t, t², t³
            for the terms 1, u, u², v, v², u v; axes x and y.
        patches: What patches showed, or None.
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
    model: NDArray[np.float64] | None = None
    patches: PatchShifts | None = None


def write_shifts_star(path: str | Path, motion: FrameShifts) -> None:
    """Write the motion of one movie as RELION does.

    That is `data_general`, `data_global_shift`, and where there are such `data_local_motion_model` and
    `data_local_shift`.

    Raises:
        ValueError: `motion.shifts` is not finite, or not one (x, y) for each frame from `first_frame` on;
            the model has not 2 × 6 × 3 coefficients.
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
        "rlnMotionModelVersion": _GLOBAL_MOTION_ONLY if motion.model is None else _POLYNOMIAL,
    }
    if motion.gain_path is not None:
        general["rlnMicrographGainName"] = motion.gain_path
    moved = _moved(shifts, motion)
    table = pd.DataFrame(
        {
            "rlnMicrographFrameNumber": np.arange(motion.first_frame, motion.first_frame + used),
            "rlnMicrographShiftX": moved[:, 0],
            "rlnMicrographShiftY": moved[:, 1],
        }
    )
    blocks: dict[str, StarBlock] = {"general": general, "global_shift": table}
    if motion.model is not None:
        if motion.model.shape != (2, 6, 3):
            raise ValueError(f"a model of shape {motion.model.shape} is not 2 × 6 × 3 ({path})")
        numbers = -motion.model.ravel() / motion.pixel_size + 0.0
        columns = {"rlnMotionModelCoeffsIdx": np.arange(36), "rlnMotionModelCoeff": numbers}
        blocks["local_motion_model"] = pd.DataFrame(columns)
    if motion.patches is not None:
        blocks["local_shift"] = _patch_table(motion.patches, motion)
    write_star(path, blocks)


def _moved(shifts: NDArray[np.float64], motion: FrameShifts) -> NDArray[np.float64]:
    """Return by how many pixels the image must be moved, as RELION says it."""
    pixels: NDArray[np.float64] = np.round(-shifts / motion.pixel_size, 6) + 0.0  # + 0 turns -0 into 0
    return pixels


def _patch_table(patches: PatchShifts, motion: FrameShifts) -> pd.DataFrame:
    moved = _moved(patches.shifts, motion)
    return pd.DataFrame(
        {
            "rlnMicrographFrameNumber": patches.frames,
            "rlnCoordinateX": patches.x,
            "rlnCoordinateY": patches.y,
            "rlnMicrographShiftX": moved[:, 0],
            "rlnMicrographShiftY": moved[:, 1],
        }
    )


def read_shifts_star(path: str | Path) -> FrameShifts:
    """Read the motion of one movie as RELION writes it.

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
            model=_read_model(blocks.get("local_motion_model"), pixel_size),
            patches=_read_patches(blocks.get("local_shift"), pixel_size),
        )
    except (KeyError, ValueError) as error:
        raise FormatError(path, f"its values are missing or no numbers ({error})", mend) from error


def _read_model(block: object, pixel_size: float) -> NDArray[np.float64] | None:
    if not isinstance(block, pd.DataFrame) or block.empty:
        return None
    return -block["rlnMotionModelCoeff"].to_numpy(dtype=np.float64).reshape(2, 6, 3) * pixel_size + 0.0


def _read_patches(block: object, pixel_size: float) -> PatchShifts | None:
    if not isinstance(block, pd.DataFrame) or block.empty:
        return None
    moved = block[["rlnMicrographShiftX", "rlnMicrographShiftY"]].to_numpy(dtype=np.float64)
    return PatchShifts(
        frames=block["rlnMicrographFrameNumber"].to_numpy(dtype=np.int64),
        x=block["rlnCoordinateX"].to_numpy(dtype=np.float64),
        y=block["rlnCoordinateY"].to_numpy(dtype=np.float64),
        shifts=-moved * pixel_size + 0.0,
    )
