"""A whole session at the simulated microscope, written as a microscope writes it."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from eucentric.formats import write_mrc
from eucentric.microscope.simulate.camera import Camera, make_camera
from eucentric.microscope.simulate.exposure import (
    Exposure,
    draw_exposure,
    particles_in_frame,
    record_movie,
)
from eucentric.microscope.simulate.mdoc import mdoc_text
from eucentric.microscope.simulate.settings import SimulationSettings
from eucentric.microscope.simulate.truth import TRUTH_NAME, ExposureTruth, SessionTruth, write_truth
from eucentric.microscope.simulate.writing import write_movie

log = logging.getLogger(__name__)

GAIN_NAME = "gain.mrc"
MOVIES_NAME = "movies"


def simulate_session(
    folder: Path,
    settings: SimulationSettings,
    *,
    on_exposure: Callable[[ExposureTruth], None] | None = None,
    stop: threading.Event | None = None,
) -> list[ExposureTruth]:
    """Write a session into `folder`: `gain.mrc`, `movies/NAME_0001.tiff` with its `.mdoc`, ..., `truth.json`.

    With an interval the exposures come in real time, one each interval (or as fast as they can be made);
    without one, all at once.

    Args:
        folder: The session's data folder; made when it does not exist.
        settings: What the session is like.
        on_exposure: Called after each exposure, with what is true of it.
        stop: When set, the session ends early; whatever was begun is finished.

    Returns:
        What is true of each exposure, as `truth.json` holds it.

    Raises:
        FileExistsError: A simulated session is in the folder already.
        OSError: The folder cannot be written to.
    """
    if (folder / TRUTH_NAME).exists():
        raise FileExistsError(
            f"{folder} holds a simulated session already; choose another folder or delete this one"
        )
    stop = stop or threading.Event()
    (folder / MOVIES_NAME).mkdir(parents=True, exist_ok=True)
    camera = make_camera(settings)
    write_mrc(folder / GAIN_NAME, camera.gain, settings.pixel_size)
    late = _LateFiles(stop)
    truths: list[ExposureTruth] = []
    _record_truth(folder, settings, camera, truths)
    began = time.monotonic()
    for number in range(1, settings.exposures + 1):
        exposure = draw_exposure(settings, number)
        frames = list(record_movie(settings, exposure, camera))
        late.wait_until(began + number * settings.interval)
        if stop.is_set():
            break
        truth = _exposure_truth(settings, exposure)
        movie = folder / MOVIES_NAME / truth.name
        write_movie(movie, frames, settings, exposure.fault, lambda: _grow_pause(settings, stop))
        mdoc = mdoc_text(settings, str(movie), truth.target_defocus, truth.stage, truth.recorded)
        late.add(time.monotonic() + settings.mdoc_delay, movie.with_name(movie.name + ".mdoc"), mdoc)
        truths.append(truth)
        _record_truth(folder, settings, camera, truths)
        log.info("exposure %d of %d: %s", number, settings.exposures, truth.name)
        if on_exposure is not None:
            on_exposure(truth)
    late.finish()
    return truths


class _LateFiles:
    """Text files that are to be written at some later time, and the waiting in between."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._due: list[tuple[float, Path, str]] = []

    def add(self, due: float, path: Path, text: str) -> None:
        """Write `text` to `path` at the monotonic time `due`, or now if that has come."""
        self._due.append((due, path, text))
        self._write(time.monotonic())

    def wait_until(self, moment: float) -> None:
        """Wait for a monotonic time, or for the stop, while files fall due."""
        while (now := time.monotonic()) < moment and not self._stop.is_set():
            self._stop.wait(min([moment, *(due for due, _, _ in self._due)]) - now)
            self._write(time.monotonic())
        self._write(time.monotonic())

    def finish(self) -> None:
        """Wait for all files; when stopped, write them at once."""
        self.wait_until(max((due for due, _, _ in self._due), default=0.0))
        self._write(float("inf"))

    def _write(self, now: float) -> None:
        for due, path, text in self._due:
            if due <= now:
                hidden = path.with_name(f".{path.name}.writing")
                hidden.write_text(text, encoding="utf-8", newline="\r\n")
                hidden.rename(path)
        self._due = [entry for entry in self._due if entry[0] > now]


def _grow_pause(settings: SimulationSettings, stop: threading.Event) -> None:
    stop.wait(settings.growth_time / settings.frames)


def _exposure_truth(settings: SimulationSettings, exposure: Exposure) -> ExposureTruth:
    shifts = exposure.motion.shifts
    return ExposureTruth(
        name=f"{settings.name}_{exposure.number:04d}{settings.suffix}",
        recorded=datetime.now().astimezone(),
        fault=exposure.fault,
        target_defocus=exposure.target_defocus,
        defocus_u=exposure.optics.defocus_u,
        defocus_v=exposure.optics.defocus_v,
        defocus_angle=exposure.optics.defocus_angle,
        stage=exposure.stage,
        shifts=_pairs(shifts / settings.pixel_size),
        shifts_angstrom=_pairs(shifts),
        local_motion=exposure.motion.truth(),
        particles=_pairs(particles_in_frame(settings, exposure)),
    )


def _record_truth(
    folder: Path, settings: SimulationSettings, camera: Camera, truths: list[ExposureTruth]
) -> None:
    truth = SessionTruth(
        settings=settings,
        gain_path=GAIN_NAME,
        hot_pixels=[(int(x), int(y)) for x, y in camera.hot],
        dead_columns=camera.dead_columns.tolist(),
        exposures=truths,
    )
    write_truth(folder, truth)


def _pairs(array: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in array]
