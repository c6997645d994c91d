"""Whether the exposures are good: counts, gain, defocus, astigmatism, resolution, motion, ice, lost frames.

Every rule looks at the median over the newest exposures of each acquisition, so that one bad exposure
alarms nobody.
"""

import statistics
from collections.abc import Iterator

from eucentric.metadata import HARMLESS_VERDICTS
from eucentric.monitors.alarms.situation import Reading, Situation, field_of, median_of, newest
from eucentric.monitors.exposures import Exposure
from eucentric.store.alarm_settings import Threshold

BEGINNING = 20
"""Exposures at the beginning of an acquisition that later ones are compared with."""
_PER_MICROMETRE = 1e4


_counts = field_of("micrograph", "mean_counts")


def _part_of_dose(exposure: Exposure) -> float | None:
    """Return the mean counts of an exposure over those expected, where both are known."""
    mean, expected = _counts(exposure), exposure.items.get("micrograph", {}).get("expected_counts")
    return None if mean is None or not expected else mean / float(expected)


def counts(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Compare the counts with those at the beginning of the acquisition, in percent.

    Where the dose is stated they are taken as parts of what it should give, since it may have been changed.
    """
    for name, exposures in situation.living().items():
        value = _part_of_dose if newest(exposures, _part_of_dose, limits.last) else _counts
        first = [found for each in exposures[: 2 * BEGINNING] if (found := value(each)) is not None]
        now = median_of(exposures, value, limits.last)
        if len(first) < BEGINNING or now is None:
            continue
        before = statistics.median(first[:BEGINNING])
        if before <= 0 or len(exposures) < BEGINNING + limits.last:
            continue
        change = 100 * (now / before - 1)
        message = (
            f"The counts of the last {limits.last} exposures of {name} are {abs(change):.0f} %"
            f" {'below' if change < 0 else 'above'} those at its beginning."
        )
        yield Reading(rule, name, abs(change), limits, message)


def dose(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Compare the counts with the dose that was stated, in percent."""
    for name, exposures in situation.living().items():
        part = median_of(exposures, _part_of_dose, limits.last)
        if part is not None:
            message = (
                f"The last {limits.last} exposures of {name} have {100 * part:.0f} % of the counts that their"
                " stated dose should give."
            )
            yield Reading(rule, name, abs(100 * (part - 1)), limits, message)


def gain(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Look for the gain reference in the corrected images: its correlation with them."""
    for name, exposures in situation.living().items():
        residual = median_of(exposures, field_of("micrograph", "gain_residual"), limits.last)
        if residual is not None:
            message = (
                f"What is left of the gain reference in the last {limits.last} exposures of {name}: a"
                f" correlation of {residual:+.2f} (0 where the reference fits)."
            )
            yield Reading(rule, name, abs(residual), limits, message)


def gain_estimate(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Tell what `estimate-gain` found of an acquisition's gain reference, where it is in the workflow."""
    for name in situation.living():
        estimate = situation.record.shared.get(name, {}).get("gain_estimate")
        if estimate is not None:
            bad = estimate["verdict"] not in HARMLESS_VERDICTS
            yield Reading(rule, name, float(bad), limits, f"{name}: {estimate['message']}")


def _defocus(exposure: Exposure) -> float | None:
    ctf = exposure.items.get("ctf")
    return None if ctf is None else (float(ctf["defocus_u"]) + float(ctf["defocus_v"])) / 2


def _off_target(exposure: Exposure) -> float | None:
    """Return fitted minus intended defocus in Å, where both are known."""
    fitted, target = _defocus(exposure), exposure.items.get("metadata", {}).get("target_defocus")
    return None if fitted is None or target is None else fitted - float(target)


def defocus(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Compare the fitted defocus with the intended one, in Å."""
    for name, exposures in situation.living().items():
        off = median_of(exposures, _off_target, limits.last)
        if off is not None:
            message = (
                f"The last {limits.last} exposures of {name} are {abs(off) / _PER_MICROMETRE:.2f} µm"
                f" {'less' if off < 0 else 'more'} underfocused than intended."
            )
            yield Reading(rule, name, abs(off), limits, message)


def _astigmatism(exposure: Exposure) -> float | None:
    ctf = exposure.items.get("ctf")
    return None if ctf is None else float(ctf["defocus_u"]) - float(ctf["defocus_v"])


def astigmatism(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Look at the difference of the two defoci, in Å."""
    for name, exposures in situation.living().items():
        value = median_of(exposures, _astigmatism, limits.last)
        if value is not None:
            message = f"The astigmatism of the last {limits.last} exposures of {name} is {value:.0f} Å."
            yield Reading(rule, name, value, limits, message)


def resolution(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Look at the resolution up to which CTF rings are fitted, in Å.

    With large pixels it cannot be good: no alarm is raised before twice the resolution limit of the pixels.
    """
    for name, exposures in situation.living().items():
        value = median_of(exposures, field_of("ctf", "resolution"), limits.last)
        pixels = newest(exposures, field_of("ctf", "pixel_size"), 1)
        if value is not None and pixels:
            own = limits.scaled(max(1.0, 4 * pixels[0] / limits.raise_))
            message = f"CTF rings of the last {limits.last} exposures of {name} reach to {value:.1f} Å."
            yield Reading(rule, name, value, own, message)


def motion(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Look at how far the specimen moved during an exposure, in Å."""
    for name, exposures in situation.living().items():
        value = median_of(exposures, field_of("micrograph", "motion_total"), limits.last)
        if value is not None:
            message = f"The specimen moved by {value:.0f} Å in the last {limits.last} exposures of {name}."
            yield Reading(rule, name, value, limits, message)


def ice(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Look at the ring of crystalline ice at 3.7 Å."""
    for name, exposures in situation.living().items():
        value = median_of(exposures, field_of("ctf", "ice_ring"), limits.last)
        if value is not None:
            message = (
                f"The ice ring at 3.7 Å is {value:.1f} times as strong as its surroundings, above them, in"
                f" the last {limits.last} exposures of {name}."
            )
            yield Reading(rule, name, value, limits, message)


def _lost(exposure: Exposure) -> float | None:
    movie = exposure.items.get("movie")
    if movie is None:
        return None
    lost = int(movie.get("dropped_frames") or 0)
    there = int(movie.get("raw_frames") or movie["frames"])
    return 100 * lost / (there + lost)


def dropped(rule: str, situation: Situation, limits: Threshold) -> Iterator[Reading]:
    """Look at the frames that the camera lost, in percent: the mean, since most movies lose none."""
    for name, exposures in situation.living().items():
        if values := newest(exposures, _lost, limits.last):
            lost = statistics.fmean(values)
            message = f"{lost:.1f} % of the frames of the last {limits.last} movies of {name} are missing."
            yield Reading(rule, name, lost, limits, message)
