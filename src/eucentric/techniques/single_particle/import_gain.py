"""Which gain reference the movies of an acquisition are corrected with, and how."""

import logging
import time
from pathlib import Path
from typing import Any

from eucentric.formats.gain_reference import orientation_between, reference_shape, title_code
from eucentric.metadata import Gain
from eucentric.metadata.detectors import UNKNOWN, operation_for, rule_for
from eucentric.microscope.exposure_metadata import Companion
from eucentric.microscope.gain_search import find_defects, find_gain
from eucentric.microscope.naming import file_name
from eucentric.techniques.single_particle.data_folders import DataFolders
from eucentric.techniques.single_particle.gain import fits_shape
from eucentric.techniques.single_particle.import_acquisitions import Acquisition
from eucentric.techniques.single_particle.import_params import ImportParams
from eucentric.techniques.single_particle.movie_values import MovieFile

log = logging.getLogger(__name__)

SEARCH_AGAIN = 10.0
"""Seconds after which a reference that was not there is looked for again."""


class GainMissing(Exception):
    """Movies must not be processed without a reference, and there is none; the message says how to go on."""


class Gains:
    """The gain references of a session's acquisitions."""

    def __init__(self, params: ImportParams, data: DataFolders) -> None:
        """Choose by what the command line says, and search the data folders for the rest."""
        self._params = params
        self._data = data
        self._detectors: dict[str, str] = {}
        """The last camera that the metadata of an acquisition named."""
        self._chosen: dict[tuple[str, str | None, str | None], Gain] = {}
        """By acquisition, named reference and camera."""
        self._missing: dict[tuple[str, str | None, str | None], tuple[float, str]] = {}
        """When one was missing (monotonic s), and the sentence for that."""

    def gain_for(
        self, acquisition: Acquisition, movie: Path, file: MovieFile, companion: Companion | None
    ) -> Gain:
        """Return the gain of a movie's acquisition, as known by now.

        A reference that the movie's metadata name is taken for it and for those that come later; without
        metadata the acquisition's stays.

        Raises:
            GainMissing: The movies need a reference and there is none, or none that fits.
            FormatError, OSError: The reference cannot be read.
        """
        named = companion.metadata.gain_reference if companion else None
        before = self._detectors.get(acquisition.name)
        stated = companion.metadata.detector if companion else None
        detector = stated or file.detector or before
        if acquisition.gain is not None:
            if named is not None and _is_called(acquisition.gain.path, named):
                return acquisition.gain
            if named is None and stated in (None, before):
                return acquisition.gain
        if detector:
            self._detectors[acquisition.name] = detector
        key = (acquisition.name, named, detector)
        if key not in self._chosen:
            self._chosen[key] = self._choose(key, movie, file, companion)
        return self._chosen[key]

    def _choose(
        self,
        key: tuple[str, str | None, str | None],
        movie: Path,
        file: MovieFile,
        companion: Companion | None,
    ) -> Gain:
        since, why = self._missing.get(key, (-SEARCH_AGAIN, ""))
        if time.monotonic() - since < SEARCH_AGAIN:
            raise GainMissing(why)
        _, named, detector = key
        try:
            return self._found(movie, file, companion, named, detector)
        except GainMissing as error:
            self._missing[key] = (time.monotonic(), str(error))
            raise

    def _found(
        self,
        movie: Path,
        file: MovieFile,
        companion: Companion | None,
        named: str | None,
        detector: str | None,
    ) -> Gain:
        params = self._params
        rule = rule_for(detector, file.format, file.shape[::-1])
        is_known = rule is not UNKNOWN
        root = next((each for each in self._data.folders if movie.is_relative_to(each)), movie.parent)
        defects = Path(params.defects) if params.defects else None
        defects = defects or find_defects(movie, root, companion.defect_file if companion else None)
        common: dict[str, Any] = {
            "defects_path": self._data.name(defects) if defects else None,
            "dark_path": self._data.name(Path(params.dark)) if params.dark else None,
            "counts_per_electron": rule.counts_per_electron,
            "detector": rule.name if is_known else None,
        }
        if params.no_gain or (params.gain is None and rule.corrected):
            return Gain(path=None, **common)
        reference = Path(params.gain) if params.gain else find_gain(movie, root, named)
        if reference is None:
            if is_known or named:
                raise GainMissing(_missing_sentence(movie, root, named, rule.name))
            log.warning("%s: no gain reference lies with it; it is taken as corrected.", movie)
            return Gain(path=None, **common)
        if named and not _is_called(reference.name, named) and params.gain is None:
            log.warning("%s: its gain reference %s is not there; %s is used.", movie, named, reference)
        rotation, flip = self._orientation(reference, movie, companion)
        _check_shape(reference, movie, file, turned=rotation in (90, 270))
        return Gain(
            path=self._data.name(reference),
            operation=params.gain_operation or operation_for(rule, reference.name),
            rotation=rotation,
            flip=flip,
            **common,
        )

    def _orientation(self, reference: Path, movie: Path, companion: Companion | None) -> tuple[Any, Any]:
        """Return by how many degrees the reference is turned, and how it is then flipped.

        What the command line says counts. Else SerialEM's codes: the frames' in their metadata or titles, the
        reference's in its titles; one that the camera's software wrote has no title, and lies as the camera
        delivers.
        """
        params = self._params
        if params.gain_rotation is not None or params.gain_flip is not None:
            return params.gain_rotation or 0, params.gain_flip or "none"
        stated = companion.rotation_and_flip if companion else None
        frames = title_code(movie) if stated is None else stated
        return orientation_between(title_code(reference) or 0, frames) if frames is not None else (0, "none")


def _is_called(path: str | None, named: str) -> bool:
    return path is not None and Path(path).stem == Path(file_name(named)).stem


def _missing_sentence(movie: Path, root: Path, named: str | None, detector: str) -> str:
    what = f"{file_name(named)}, which its metadata name" if named else f"as movies of a {detector} do"
    return (
        f"{movie} needs a gain reference, {what}; there is none beside it, nor in a folder above up to"
        f" {root}: put it there, give it as --gain FILE, or say --no-gain if the movies are corrected."
    )


def _check_shape(reference: Path, movie: Path, file: MovieFile, *, turned: bool) -> None:
    """Raise GainMissing where a reference cannot be of the movie's camera mode."""
    rows, columns = reference_shape(reference)
    if not fits_shape((rows, columns), file.shape[::-1], turned=turned):
        way = "turned by 90° it" if turned else "it"
        raise GainMissing(
            f"The gain reference {reference} has {columns} × {rows} pixels, but {movie} has"
            f" {file.width} × {file.height}; {way} does not fit: give that of this camera mode as"
            " --gain FILE, and how it lies as --gain-rotation."
        )
