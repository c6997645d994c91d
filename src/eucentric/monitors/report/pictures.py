"""Pictures of single exposures, small enough to be written into the page: image, spectrum, motion, picks."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from eucentric.formats.star_particles import read_coordinates_star
from eucentric.formats.star_shifts import FrameShifts, read_shifts_star
from eucentric.monitors.exposures import Exposure

log = logging.getLogger(__name__)

BUDGET = 6_000_000
"""Bytes of all pictures in a page together."""
OF_EACH = 24
"""The newest exposures of every acquisition have theirs, before older ones of any."""
SIDE = 320
"""Pixels of the longer side of an image."""
LARGE_SIDE = 1200
"""The same of a picture of a whole acquisition."""
QUALITY = 55
MOST_PICKS = 2000
MOST_STEPS = 40
"""Points of a trajectory that are drawn."""
MOST_POINTS = 500
"""Points of a spectrum that are drawn."""
_LARGEST_FILE = 20_000_000
_LARGEST_WHOLE = 600_000


class Pictures:
    """The pictures of the newest exposures, made once and kept while they are shown."""

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        """Prepare; `folder` is the session's, `budget` in bytes."""
        self._folder, self._budget = folder.resolve(), budget
        self._made: dict[tuple[str, ...], tuple[int, str]] = {}

    def of(self, acquisitions: dict[str, list[Exposure]]) -> dict[str, dict[str, str]]:
        """Return the pictures of exposures in JSON, by acquisition and name, as far as there is room."""
        chosen: dict[str, dict[str, str]] = {name: {} for name in acquisitions}
        shown: dict[tuple[str, ...], tuple[int, str]] = {}
        spent = 0
        for exposure in _in_order(acquisitions):
            _, text = shown[exposure.path] = self._of(exposure)
            spent += len(text)
            if spent > self._budget:
                break
            if text:
                chosen[exposure.acquisition][exposure.name] = text
        self._made = shown
        return chosen

    def whole(self, path: str | None) -> str | None:
        """Return a picture of a whole acquisition as it is, or smaller and grey where it is large."""
        data = self._read(path)
        if data is None or len(data) > _LARGEST_WHOLE:
            return self._image(path, LARGE_SIDE)
        return "data:image/png;base64," + base64.b64encode(data).decode()

    def _of(self, exposure: Exposure) -> tuple[int, str]:
        """Return the version of an exposure with its pictures, an empty text where it has none."""
        made = self._made.get(exposure.path)
        if made is not None and made[0] == exposure.version:
            return made
        drawn = self._draw(exposure)
        text = json.dumps(drawn, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return exposure.version, text if drawn else ""

    def _draw(self, exposure: Exposure) -> dict[str, Any]:
        items = exposure.items
        parts = {
            "image": self._image(items.get("micrograph", {}).get("thumbnail_path"), SIDE),
            "spectrum": self._image(items.get("ctf", {}).get("diagnostic_path"), SIDE),
            "profile": self._profile(items.get("ctf", {}).get("profile_path")),
            "motion": self._motion(items.get("micrograph", {}).get("shifts_path")),
            "picks": self._picks(items.get("coordinates")),
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _image(self, path: str | None, side: int) -> str | None:
        data = self._read(path)
        if data is None:
            return None
        try:
            grey = smaller(np.asarray(imagecodecs.png_decode(data)), side)
            return (
                "data:image/jpeg;base64," + base64.b64encode(imagecodecs.jpeg8_encode(grey, QUALITY)).decode()
            )
        except (ValueError, RuntimeError) as error:
            log.warning("%s cannot be shown: %s", path, error)
            return None

    def _profile(self, path: str | None) -> dict[str, list[float | None]] | None:
        """Return the spectrum and the fitted CTF by spatial frequency (1/Å), 500 points at the most."""
        data = self._read(path)
        if data is None:
            return None
        try:
            read = json.loads(data)
            columns = {name: read[name] for name in ("frequency", "spectrum", "model")}
            step = -(-len(columns["frequency"]) // MOST_POINTS) or 1
            return {name: [_rounded(value) for value in column[::step]] for name, column in columns.items()}
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be shown: %s", path, error)
            return None

    def _motion(self, path: str | None) -> dict[str, Any] | None:
        """Return the specimen's path (Å) over the whole field, and what each patch adds to it."""
        if path is None or (file := self._inside(path)) is None:
            return None
        try:
            motion = read_shifts_star(file)
        except (OSError, ValueError) as error:
            log.warning("%s cannot be shown: %s", path, error)
            return None
        return {
            "whole": _steps(motion.shifts),
            "patches": _patches(motion),
            "aspect": round(motion.height / motion.width, 4),
        }

    def _picks(self, coordinates: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return where particles are, in thousandths of the width from the lower left, and their diameter."""
        if coordinates is None or (file := self._inside(coordinates["path"])) is None:
            return None
        try:
            places = read_coordinates_star(file)[["x", "y"]].to_numpy(dtype=np.float64)[:MOST_PICKS]
        except (OSError, ValueError) as error:
            log.warning("%s cannot be shown: %s", coordinates["path"], error)
            return None
        scale = 1000 / coordinates["width"]
        return {
            "places": np.round((places + 0.5) * scale).astype(int).ravel().tolist(),
            "diameter": round(coordinates["diameter"] / coordinates["pixel_size"] * scale, 1),
        }

    def _read(self, path: str | None) -> bytes | None:
        if path is None or (file := self._inside(path)) is None:
            return None
        try:
            return file.read_bytes() if file.stat().st_size <= _LARGEST_FILE else None
        except OSError as error:  # tidied away, or the disk is not there
            log.debug("%s cannot be shown: %s", path, error)
            return None

    def _inside(self, path: str) -> Path | None:
        """Return a file of the session, or None: a report that is published shows nothing else."""
        file = (self._folder / path).resolve()
        return file if file.is_relative_to(self._folder) and file.is_file() else None


def smaller(image: NDArray[Any], side: int) -> NDArray[np.uint8]:
    """Return an image [y, x] in 8 bit grey, `side` px at most, by means over areas.

    Raises:
        ValueError: It is neither grey nor coloured.
    """
    if image.ndim == 3:
        image = image[..., :3].mean(axis=2)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"an image of shape {image.shape} is no picture")
    for axis in (0, 1):
        length = image.shape[axis]
        wanted = max(1, round(length * min(1, side / max(image.shape))))
        if wanted < length:
            edges = np.linspace(0, length, wanted + 1).round().astype(int)
            sums = np.add.reduceat(image.astype(np.float32), edges[:-1], axis=axis)
            counts = np.diff(edges).astype(np.float32)
            image = sums / (counts[:, None] if axis == 0 else counts)
    return np.ascontiguousarray(np.clip(np.round(image), 0, 255).astype(np.uint8))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _steps(shifts: NDArray[np.float64]) -> list[list[float]]:
    """Return some of the displacements [time, (x, y)] of the specimen, rounded, in Å."""
    every = np.unique(np.linspace(0, len(shifts) - 1, min(len(shifts), MOST_STEPS)).round().astype(int))
    path: list[list[float]] = (np.round(shifts[every], 2) + 0.0).tolist()
    return path


def _patches(motion: FrameShifts) -> list[dict[str, Any]]:
    """Return where each patch is, as parts of width and height, and its path beyond the whole field's."""
    patches = motion.patches
    if patches is None:
        return []
    places: dict[tuple[float, float], list[int]] = {}
    for row, place in enumerate(zip(patches.x.tolist(), patches.y.tolist(), strict=True)):
        places.setdefault(place, []).append(row)
    return [
        {
            "x": round(x / motion.width, 4),
            "y": round(y / motion.height, 4),
            "path": _steps(patches.shifts[rows]),
        }
        for (x, y), rows in places.items()
    ]


def _in_order(acquisitions: dict[str, list[Exposure]]) -> list[Exposure]:
    """Return exposures that may be shown: the newest of every acquisition, then others, newest first."""
    first: list[Exposure] = []
    rest: list[Exposure] = []
    for exposures in acquisitions.values():
        first += exposures[: -OF_EACH - 1 : -1]
        rest += exposures[:-OF_EACH][-1000:]
    return first + sorted(rest, key=lambda each: each.found, reverse=True)
