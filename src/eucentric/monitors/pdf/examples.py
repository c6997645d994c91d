"""Example exposures: their pictures as files for the report."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from eucentric.formats import read_image
from eucentric.formats.star_particles import read_coordinates_star
from eucentric.monitors.exposures import Exposure
from eucentric.monitors.report.pictures import smaller
from eucentric.monitors.results import results_of

log = logging.getLogger(__name__)

SIDE = 640
"""Pixels of the longer side of a picture."""
QUALITY = 82
MOST_PICKS = 1500
_LARGEST_FILE = 2_000_000_000


def chosen(exposures: Sequence[Exposure]) -> list[tuple[str, Exposure]]:
    """Return the exposures with the best, the median and the worst CTF, as far as there are so many."""
    fitted = [each for each in exposures if "ctf" in each.items]
    ordered = sorted(fitted, key=lambda each: (each.items["ctf"]["resolution"], each.path))
    if len(ordered) < 3:
        return [("Example", each) for each in ordered]
    return [("Best", ordered[0]), ("Median", ordered[len(ordered) // 2]), ("Worst", ordered[-1])]


def example(word: str, exposure: Exposure, session: Path, folder: Path, number: int) -> dict[str, Any]:
    """Write the pictures of an exposure, and return what to show of it.

    Args:
        word: Why it is shown.
        exposure: The exposure.
        session: The session's folder.
        folder: Where the pictures go, as `NUMBER-image.jpg` and `NUMBER-spectrum.jpg`.
        number: A number of its own.

    Returns:
        Names of the pictures, None for one that cannot be made, places of particles as parts of the width
        and height from the top left, and some figures.
    """
    session = session.resolve()
    items = exposure.items
    ctf, micrograph = items["ctf"], items.get("micrograph", {})
    image = _micrograph(session, micrograph)
    spectrum = _decoded(session, ctf.get("diagnostic_path"))
    coordinates = items.get("coordinates")
    return {
        "word": word,
        "name": exposure.name,
        "state": exposure.state,
        "image": _written(image, folder / f"{number}-image.jpg"),
        "spectrum": _written(spectrum, folder / f"{number}-spectrum.jpg"),
        "picks": _picks(session, coordinates),
        "diameter": coordinates["diameter"] / coordinates["pixel_size"] / coordinates["width"]
        if coordinates
        else 0,
        "figures": _figures(ctf, micrograph, coordinates),
    }


def results(
    shared: dict[str, dict[str, Any]], session: Path, folder: Path, number: int
) -> list[dict[str, Any]]:
    """Write the pictures of an acquisition's classes and map, and return what to show of them.

    Args:
        shared: The items of the whole acquisition, by kind.
        session: The session's folder.
        folder: Where the pictures go, as `NUMBER-0.png` and so on.
        number: A number of its own.

    Returns:
        Of each its title, the name of the picture or None, and figures.
    """
    found = []
    for place, each in enumerate(results_of(shared)):
        file = _inside(session.resolve(), each["picture"])
        if file is not None:
            shutil.copyfile(file, folder / f"{number}-{place}.png")
        found.append(each | {"picture": None if file is None else f"{number}-{place}.png"})
    return found


def _figures(
    ctf: dict[str, Any], micrograph: dict[str, Any], coordinates: dict[str, Any] | None
) -> list[tuple[str, str]]:
    figures = [
        ("CTF fit to", f"{ctf['resolution']:.1f} Å"),
        ("Defocus", f"{(ctf['defocus_u'] + ctf['defocus_v']) / 2e4:.2f} µm"),
        ("Astigmatism", f"{ctf['defocus_u'] - ctf['defocus_v']:.0f} Å"),
    ]
    if micrograph.get("motion_total") is not None:
        figures.append(("Motion", f"{micrograph['motion_total']:.0f} Å"))
    if coordinates is not None:
        figures.append(("Particles", str(coordinates["count"])))
    return figures


def _inside(session: Path, path: str | None) -> Path | None:
    """Return a file of the session; None where there is none, or it lies elsewhere."""
    if path is None:
        return None
    file = (session / path).resolve()
    there = file.is_relative_to(session) and file.is_file() and file.stat().st_size <= _LARGEST_FILE
    return file if there else None


def _micrograph(session: Path, micrograph: dict[str, Any]) -> NDArray[Any] | None:
    """Return a picture of a micrograph, the top row first: its thumbnail, or else made from the image."""
    found = _decoded(session, micrograph.get("thumbnail_path"))
    file = None if found is not None else _inside(session, micrograph.get("path"))
    if file is None:
        return found
    try:
        image = np.asarray(read_image(file), np.float32)
        low, high = np.percentile(image[::7, ::7], (1, 99))
        grey = np.clip((image - low) / max(float(high - low), 1e-12), 0, 1) * 255
        return np.asarray(_flatter(smaller(grey[::-1], SIDE)))
    except (OSError, ValueError) as error:
        log.warning("%s is not shown: %s", micrograph.get("path"), error)
        return None


def _flatter(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture with the contrast that averaging has taken stretched again."""
    low, high = np.percentile(grey, (1, 99))
    stretched = (grey.astype(np.float32) - low) / max(float(high - low), 1.0)
    return np.asarray(np.clip(stretched, 0, 1) * 255, np.uint8)


def _decoded(session: Path, path: str | None) -> NDArray[Any] | None:
    file = _inside(session, path)
    if file is None:
        return None
    try:
        return np.asarray(imagecodecs.png_decode(file.read_bytes()))
    except (OSError, ValueError, RuntimeError) as error:
        log.warning("%s is not shown: %s", path, error)
        return None


def _written(image: NDArray[Any] | None, file: Path) -> str | None:
    if image is None:
        return None
    file.write_bytes(imagecodecs.jpeg8_encode(smaller(image, SIDE), QUALITY))
    return file.name


def _picks(session: Path, coordinates: dict[str, Any] | None) -> list[list[float]]:
    file = _inside(session, coordinates["path"]) if coordinates else None
    if file is None or coordinates is None:
        return []
    try:
        places = read_coordinates_star(file)[["x", "y"]].to_numpy(dtype=np.float64)[:MOST_PICKS]
    except (OSError, ValueError) as error:
        log.warning("%s is not shown: %s", coordinates["path"], error)
        return []
    parts = (places + 0.5) / [coordinates["width"], coordinates["height"]]
    parts[:, 1] = 1 - parts[:, 1]  # y grows upwards in the picture
    inside = np.all((parts >= 0) & (parts <= 1), axis=1)
    return [[round(x, 4), round(y, 4)] for x, y in parts[inside].tolist()]
