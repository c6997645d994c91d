"""What is wrong with a gain reference, by how its pattern is found in the movies and by what it leaves."""

from collections.abc import Callable
from typing import Literal

from eucentric.imaging.gain_estimate import GainFigures, PatternMatch, Sensitivity

Verdict = Literal[
    "fits",
    "stale",
    "misoriented",
    "inverted",
    "wrong",
    "missing",
    "corrected already",
    "not needed",
    "unsure",
]
Figure = Literal["deviation", "range_ratio", "peak_ratio"]

LIMITS: GainFigures = GainFigures(deviation=0.04, range_ratio=1.15, peak_ratio=4.5)
"""Figures of the residual gain beyond which Scipion's monitor of movies raises an alarm."""

_CERTAIN = 0.05  # standard error of a match above which nothing is said
_FOUND = 0.5  # match above which a pattern is that of the movies
_RELATED = 0.3  # match above which it was once
_MARGIN = 0.1  # by which another orientation must match better
_LEFT = 0.3  # part of the reference's pattern that may be left after correction
_MATTERS = 0.01  # relative deviation from pixel to pixel that needs a reference


def judge_orientation(matches: list[PatternMatch]) -> tuple[Verdict | None, int]:
    """Say how a reference lies on the movies; a single movie is enough for that.

    Args:
        matches: Of the reference as it is applied, and then in every other orientation.

    Returns:
        "fits", "misoriented", "inverted" or "unsure"; None where its pattern is not found. And the index of
        the orientation: 0 unless another one is better.
    """
    now = matches[0]
    if now.error > _CERTAIN:
        return "unsure", 0
    best = max(range(len(matches)), key=lambda number: matches[number].slope)
    if matches[best].slope > max(_FOUND, now.slope + _MARGIN):
        return "misoriented", best
    if now.slope > _RELATED:
        return "fits", 0
    opposite = min(range(len(matches)), key=lambda number: matches[number].slope)
    return ("inverted", opposite) if matches[opposite].slope < -_FOUND else (None, 0)


def judge_reference(
    matches: list[PatternMatch], residual: Sensitivity, raw: Callable[[], Sensitivity]
) -> tuple[Verdict, int]:
    """Say whether a reference fits, and which orientation fits best.

    Args:
        matches: Of the reference as it is applied, and then in every other orientation.
        residual: What it leaves, applied as it is.
        raw: Gives what the movies have without it; only called where the reference is not theirs.

    Returns:
        The verdict, and the index of the orientation: 0 unless another one is better.
    """
    verdict, best = judge_orientation(matches)
    known = matches[0].deviation
    if verdict is None:
        return ("corrected already" if raw().pattern < _LEFT * known else "wrong"), best
    if verdict == "fits" and (residual.pattern > _LEFT * known or exceeded(residual.figures)):
        return "stale", best
    return verdict, best


def judge_none(raw: Sensitivity) -> Verdict:
    """Say whether movies that are not corrected with a reference need one."""
    return "missing" if raw.pattern > _MATTERS or exceeded(raw.figures) else "not needed"


def exceeded(figures: GainFigures) -> tuple[Figure, ...]:
    """Return which figures are beyond `LIMITS`."""
    names: tuple[Figure, ...] = ("deviation", "range_ratio", "peak_ratio")
    return tuple(name for name in names if getattr(figures, name) > getattr(LIMITS, name))
