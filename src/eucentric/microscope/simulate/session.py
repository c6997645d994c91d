"""A whole session at the simulated microscope, written as a microscope writes it."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from eucentric.microscope.simulate.camera import corrected, make_camera
from eucentric.microscope.simulate.exposure import (
    Exposure,
    draw_exposure,
    particles_in_frame,
    record_movie,
)
from eucentric.microscope.simulate.layout_epu import EpuLayout
from eucentric.microscope.simulate.layout_serialem import SerialEMLayout
from eucentric.microscope.simulate.layouts import Layout, PlainLayout, Recording
from eucentric.microscope.simulate.settings import SimulationSettings
from eucentric.microscope.simulate.truth import TRUTH_NAME, ExposureTruth, SessionTruth, write_truth
from eucentric.microscope.simulate.writing import Frames, write_movie

log = logging.getLogger(__name__)

_LAYOUTS: dict[str, type[Layout]] = {"plain": PlainLayout, "epu": EpuLayout, "serialem": SerialEMLayout}


def simulate_session(
    folder: Path,
    settings: SimulationSettings,
    *,
    on_exposure: Callable[[ExposureTruth], None] | None = None,
    stop: threading.Event | None = None,
) -> list[ExposureTruth]:
    """Write a session into `folder`: movies and their metadata, laid out as the settings say, `truth.json`.

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
    folder.mkdir(parents=True, exist_ok=True)
    camera = make_camera(settings)
    layout = _LAYOUTS[settings.layout](folder, settings, camera, datetime.now().astimezone())
    layout.begin()
    late = _LateFiles(stop)
    truths: list[ExposureTruth] = []
    _record_truth(layout, truths)
    began = time.monotonic()
    for number in range(1, settings.exposures + 1):
        exposure = draw_exposure(settings, number)
        frames = list(record_movie(settings, exposure, camera))
        late.wait_until(began + number * settings.interval)
        if stop.is_set():
            break
        truth = _write_exposure(layout, exposure, frames, late, stop)
        truths.append(truth)
        _record_truth(layout, truths)
        log.info("exposure %d of %d: %s", number, settings.exposures, truth.name)
        if on_exposure is not None:
            on_exposure(truth)
    late.finish()
    return truths


def _write_exposure(
    layout: Layout, exposure: Exposure, frames: Frames, late: "_LateFiles", stop: threading.Event
) -> ExposureTruth:
    """Write the files of one exposure and return what is true of it."""
    settings = layout.settings.of(exposure.number)
    recording = Recording(exposure, datetime.now().astimezone())
    movie = layout.movie(recording)
    movie.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(layout, EpuLayout):
        layout.write_previews(recording, movie, frames)
    path, text = layout.metadata(recording, movie)
    wanted = exposure.number not in layout.settings.missing_metadata
    delay = settings.metadata_delay
    if wanted and layout.metadata_first and not delay:
        late.add(time.monotonic(), path, text)
    if layout.gain_operation == "none":
        frames = [corrected(layout.camera, frame, layout.counts_per_electron) for frame in frames]
    write_movie(movie, frames, settings, *recording, lambda: _grow_pause(settings, stop))
    if wanted and (delay or not layout.metadata_first):
        rng = np.random.default_rng([settings.seed, exposure.number, 6])
        late.add(time.monotonic() + delay * rng.uniform(0.5, 1.5), path, text)
    return _exposure_truth(layout, recording, movie)


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


def _exposure_truth(layout: Layout, recording: Recording, movie: Path) -> ExposureTruth:
    exposure, recorded = recording
    settings = layout.settings.of(exposure.number)
    grid = layout.settings.grid_of(exposure.number)
    kept = exposure.recorded_frames
    shifts = exposure.motion.shifts[kept]
    local = exposure.motion.truth()
    flaws = exposure.flaws
    return ExposureTruth(
        name=movie.name,
        path=str(movie.relative_to(layout.folder)),
        grid=grid.name if grid else None,
        number=exposure.number,
        recorded=recorded,
        fault=exposure.fault,
        metadata=exposure.number not in layout.settings.missing_metadata,
        pixel_size=settings.pixel_size,
        dose=settings.dose,
        target_defocus=exposure.target_defocus,
        defocus_u=exposure.optics.defocus_u,
        defocus_v=exposure.optics.defocus_v,
        defocus_angle=exposure.optics.defocus_angle,
        stage=exposure.stage,
        shifts=_pairs(shifts / settings.pixel_size),
        shifts_angstrom=_pairs(shifts),
        local_motion=local.model_copy(update={"course": [local.course[frame] for frame in kept]}),
        particles=_pairs(particles_in_frame(settings, exposure)),
        hidden_particles=_pairs(particles_in_frame(settings, exposure, hidden=True)),
        ice_thickness=flaws.ice_thickness,
        beam=flaws.beam,
        hole=flaws.hole,
        lumps=[(float(x), float(y), float(radius)) for x, y, radius in flaws.lumps],
        dropped_frames=list(flaws.dropped),
    )


def _record_truth(layout: Layout, truths: list[ExposureTruth]) -> None:
    truth = SessionTruth(
        settings=layout.settings,
        gain_path=str(layout.gain_path.relative_to(layout.folder)) if layout.gain_path else None,
        gain_operation=layout.gain_operation,
        counts_per_electron=layout.counts_per_electron,
        hot_pixels=[(int(x), int(y)) for x, y in layout.camera.hot],
        dead_columns=layout.camera.dead_columns.tolist(),
        exposures=truths,
    )
    write_truth(layout.folder, truth)


def _pairs(array: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in array]
