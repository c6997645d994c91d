"""From the sums of movies to what is wrong with their gain reference, and what to use instead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eucentric.engine.protocol import Task
from eucentric.formats.gain_reference import reference_shape
from eucentric.imaging.gain_estimate import Sensitivity, estimate_sensitivity, match_pattern
from eucentric.imaging.gain_verdict import Verdict, exceeded, judge_none, judge_orientation, judge_reference
from eucentric.metadata import HARMLESS_VERDICTS, Gain, GainEstimate
from eucentric.techniques.single_particle.gain import Correction, fits_shape, read_correction

Image = NDArray[np.float32]
Orientation = tuple[Literal[0, 90, 180, 270], Literal["none", "left-right", "top-bottom"]]

_SENTENCES: dict[Verdict, str] = {
    "fits": "The gain reference {path} fits.",
    "stale": "The gain reference {path} is of this camera but out of date: {left} is left after correction."
    " Record a new one, or correct with the estimate.",
    "misoriented": "The gain reference {path} lies the wrong way; it fits when {how}.",
    "inverted": "The gain reference {path} is used to {operation}, but it fits the other way round.",
    "wrong": "The gain reference {path} has nothing to do with these movies; give that of this camera and"
    " mode, or correct with the estimate.",
    "missing": "The movies have the pattern of a camera ({left}) and no gain reference; give one, or correct"
    " with the estimate.",
    "corrected already": "The movies are corrected already, and the gain reference {path} would do it again;"
    " give none.",
    "not needed": "The movies need no gain reference.",
    "unsure": "There are too few electrons or movies yet to judge the gain reference.",
}
_ORIENTATIONS: tuple[Orientation, ...] = (
    (0, "none"),
    (90, "none"),
    (180, "none"),
    (270, "none"),
    (0, "left-right"),
    (0, "top-bottom"),
    (90, "left-right"),
    (90, "top-bottom"),
)


@dataclass(frozen=True)
class Judged:
    """The judgement and what goes with it.

    Attributes:
        estimate: The judgement.
        gain: What to correct the movies with.
        residual: [y, x], sensitivities that are left after correction; None where nothing was estimated.
        multiplier: [y, x], what `gain` refers to as gain.mrc; None where it does not.
    """

    estimate: GainEstimate
    gain: Gain
    residual: Image | None = None
    multiplier: Image | None = None

    @property
    def harmless(self) -> bool:
        """Whether the movies can be corrected as they are."""
        return self.estimate.verdict in HARMLESS_VERDICTS


def judge(sums: Tensor, frames: Sequence[int], movies: int, gain: Gain, task: Task) -> Judged:
    """Judge a gain reference by the sums of movies.

    Args:
        sums: [half, y, x], sums of the frames of two halves of the movies, as they are on disk.
        frames: Number of frames in each half.
        movies: Number of movies.
        gain: The reference that is given.
        task: Says where its files are and where those of the result will be.

    Raises:
        FormatError, ValueError, OSError: As `read_correction`.
    """
    if movies < 2:
        # Its frames stand for both halves: the specimen is in both, so only the orientation is looked at.
        sums, frames = sums[:1].expand(2, -1, -1), (frames[0], frames[0])
    correction = read_correction(gain, task, (sums.shape[1], sums.shape[2]))
    if not all(float(each.sum()) > 0 for each in sums):
        return Judged(GainEstimate(verdict="unsure", message=_SENTENCES["unsure"], movies=movies), gain)
    if correction.dark is not None:
        dark = torch.from_numpy(correction.dark).to(sums.device)
        sums = torch.stack([each - dark * count for each, count in zip(sums, frames, strict=True)]).clamp(
            min=0
        )
    counts = gain.counts_per_electron or 1.0

    @cache
    def raw() -> Sensitivity:  # is seldom needed, and takes seconds
        return _estimate(sums, None, correction, counts)

    if correction.multiplier is None:
        if movies < 2:
            return _result("unsure", None, raw, correction, gain, movies, task)
        return _result(judge_none(raw()), raw(), raw, correction, gain, movies, task)
    orientations = _orientations(gain, (sums.shape[1], sums.shape[2]), task)
    matches = [match_pattern(sums[0], sums[1], _pattern(gain, each, sums, task)) for each in orientations]
    residual: Sensitivity | None = None
    verdict, best = judge_orientation(matches)
    if movies >= 2:
        residual = _estimate(sums, correction.multiplier, correction, counts)
        verdict, best = judge_reference(matches, residual, raw)
    elif verdict == "fits":
        verdict = "unsure"  # what it leaves is not known yet
    verdict = verdict or "unsure"
    known = matches[best].slope if verdict != "unsure" else None
    chosen = orientations[best] if verdict in ("misoriented", "inverted") else None
    return _result(verdict, residual, raw, correction, gain, movies, task, orientation=chosen, match=known)


def _estimate(sums: Tensor, multiplier: Image | None, correction: Correction, counts: float) -> Sensitivity:
    bad = None if correction.defects is None else torch.from_numpy(correction.defects).to(sums.device)
    if multiplier is not None:
        sums = sums * torch.from_numpy(multiplier).to(sums.device)
    return estimate_sensitivity(sums[0], sums[1], defects=bad, counts=counts)


def _orientations(gain: Gain, shape: tuple[int, int], task: Task) -> list[Orientation]:
    """Return all ways in which the reference can lie on the movies, first the one that is given."""
    assert gain.path is not None
    size = reference_shape(task.locate(gain.path))
    given: Orientation = (gain.rotation, gain.flip)
    others = [each for each in _ORIENTATIONS if _canonical(each) != _canonical(given)]
    return [given, *(each for each in others if fits_shape(size, shape, turned=each[0] in (90, 270)))]


def _canonical(orientation: Orientation) -> tuple[int, bool]:
    """Return the turn, and whether a flip left to right follows: the same for all that do the same."""
    rotation, flip = orientation
    return (rotation + 180 * (flip == "top-bottom")) % 360, flip != "none"


def _in_words(orientation: Orientation) -> str:
    words = [f"turned by {orientation[0]}° counter-clockwise"] if orientation[0] else []
    words += [f"flipped {orientation[1]}"] if orientation[1] != "none" else []
    return " and ".join(words) or "left as it is in its file"


def _pattern(gain: Gain, orientation: Orientation, sums: Tensor, task: Task) -> Tensor:
    """Return the sensitivities [y, x] that the reference stands for, in an orientation; 0 of defects."""
    turned = Gain(path=gain.path, operation=gain.operation, rotation=orientation[0], flip=orientation[1])
    multiplier = read_correction(turned, task, (sums.shape[1], sums.shape[2])).multiplier
    assert multiplier is not None
    return torch.from_numpy(_inverse(multiplier)).to(sums.device)


def _result(
    verdict: Verdict,
    residual: Sensitivity | None,
    raw: Callable[[], Sensitivity],
    correction: Correction,
    gain: Gain,
    movies: int,
    task: Task,
    *,
    orientation: Orientation | None = None,
    match: float | None = None,
) -> Judged:
    change: dict[str, Any] = {}
    multiplier: Image | None = None
    if orientation is not None:
        change = {"rotation": orientation[0], "flip": orientation[1]}
    if verdict == "inverted":
        change["operation"] = "divide" if gain.operation == "multiply" else "multiply"
    elif verdict == "corrected already":
        change["path"] = None
    elif verdict in ("stale", "wrong", "missing"):
        sensitivity = _array(residual if verdict == "stale" and residual else raw())
        multiplier = _inverse(sensitivity)
        if verdict == "stale" and correction.multiplier is not None:
            multiplier *= correction.multiplier
        multiplier = _turned_back(multiplier, gain)
        change = {"path": task.keep("gain.mrc"), "operation": "multiply"}
    words = {"path": gain.path, "operation": gain.operation}
    words["how"] = "" if orientation is None else _in_words(orientation)
    figures: dict[str, Any] = {}
    if residual is not None:
        words["left"] = f"{residual.figures.deviation:.1%}"
        figures = {name: round(value, 5) for name, value in residual.figures._asdict().items()}
        figures |= {"residual_path": task.keep("residual.mrc"), "exceeded": exceeded(residual.figures)}
    estimate = GainEstimate(
        verdict=verdict,
        message=_SENTENCES[verdict].format(**words),
        movies=movies,
        match=None if match is None else round(match, 3),
        rotation=change.get("rotation"),
        flip=change.get("flip"),
        **figures,
    )
    return Judged(
        estimate,
        gain.model_copy(update=change),
        None if residual is None else _array(residual),
        multiplier,
    )


def _array(sensitivity: Sensitivity) -> Image:
    return np.asarray(sensitivity.image.cpu().numpy(), np.float32)


def _inverse(image: Image) -> Image:
    """Return 1 / image, and 0 where it is 0."""
    return np.divide(1, image, out=np.zeros_like(image), where=image > 0)


def _turned_back(image: Image, gain: Gain) -> Image:
    """Lay an image as the reference lies in its file, so that the item can go on turning it."""
    if gain.flip == "left-right":
        image = image[:, ::-1]
    elif gain.flip == "top-bottom":
        image = image[::-1]
    return np.ascontiguousarray(np.rot90(image, gain.rotation // 90))
