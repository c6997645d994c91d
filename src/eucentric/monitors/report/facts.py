"""How an acquisition was recorded, and how the session is processed: what a report states in words."""

from typing import Any

from eucentric.metadata.vocabulary import label, unit_of_term
from eucentric.monitors.exposures import Exposure, SessionRecord
from eucentric.monitors.report.quantities import ANGSTROM_PER_MICROMETRE


def facts_of(exposures: list[Exposure], shared: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Return label and value, with its unit, of all that is known of how an acquisition is recorded.

    Args:
        exposures: Its exposures, of which the newest with a movie speaks for all.
        shared: The items of the whole acquisition, by kind.
    """
    movie = _newest(exposures, "movie")
    metadata = _newest(exposures, "metadata")
    picks, particles = _newest(exposures, "coordinates"), _newest(exposures, "particles")
    facts = [
        (label("detector.name"), metadata.get("detector") or shared.get("gain", {}).get("detector")),
        ("Frame", f"{movie['width']} × {movie['height']} px" if movie else None),
        ("Pixel size", _number(movie.get("pixel_size"), "Å", 4)),
        _stated("instrument.acceleration_voltage", movie.get("voltage"), 0),
        _stated("instrument.cs", movie.get("spherical_aberration"), 2),
        ("Amplitude contrast", _number(movie.get("amplitude_contrast"), "", 2)),
        (label("exposure.frames"), _frames(movie)),
        (label("exposure.dose"), _dose(movie)),
        _stated("exposure.exposure_time", metadata.get("exposure_time"), 2),
        (label("acquisition.nominal_magnification"), _number(metadata.get("magnification"), "×", 0)),
        (label("exposure.nominal_defocus"), _targets(exposures)),
        ("Gain reference", _gain(shared.get("gain"))),
        ("Particle diameter", _number(picks.get("diameter"), "Å", 0)),
        ("Box of a particle", _number(particles.get("box"), "px", 0)),
        (label("acquisition.microscope_software"), metadata.get("software")),
    ]
    return [(label, value) for label, value in facts if value]


def runs_of(record: SessionRecord) -> list[dict[str, Any]]:
    """Return the runs of a session with protocol, version and parameters."""
    return [
        {
            "name": name,
            "protocol": row.protocol,
            "version": row.protocol_version,
            "revision": row.revision,
            "closed": row.closed,
            "params": row.params,
        }
        for name, row in record.runs.items()
    ]


def _newest(exposures: list[Exposure], kind: str) -> dict[str, Any]:
    return next((each.items[kind] for each in reversed(exposures) if kind in each.items), {})


def _number(value: float | None, unit: str, decimals: int) -> str | None:
    if value is None:
        return None
    text = f"{value:,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {unit}".strip()


def _stated(term: str, value: float | None, decimals: int) -> tuple[str, str | None]:
    """Return label and value of a term of the vocabulary, in its unit."""
    return label(term), _number(value, unit_of_term(term) or "", decimals)


def _frames(movie: dict[str, Any]) -> str | None:
    if not movie:
        return None
    raw = movie.get("raw_frames")
    frames = f"{movie['frames']} fractions of {raw} EER frames" if raw else str(movie["frames"])
    return f"{frames}, read at twice the camera's sampling" if movie.get("upsampling") == 2 else frames


def _dose(movie: dict[str, Any]) -> str | None:
    if not movie:
        return None
    if not movie["dose_per_frame"]:
        return "not known"
    total = _number(movie["dose_per_frame"] * movie["frames"], unit_of_term("exposure.dose") or "", 1)
    part = "fraction" if movie.get("raw_frames") else "frame"
    return f"{total} ({_number(movie['dose_per_frame'], '', 3)} per {part})"


def _targets(exposures: list[Exposure]) -> str | None:
    targets = {
        round(value / ANGSTROM_PER_MICROMETRE, 2)
        for each in exposures
        if (value := each.items.get("metadata", {}).get("target_defocus")) is not None
    }
    if not targets:
        return None
    least, most = min(targets), max(targets)
    return f"{least:.2g} µm" if least == most else f"{least:.2g} to {most:.2g} µm"


def _gain(gain: dict[str, Any] | None) -> str | None:
    if gain is None:
        return None
    if not gain.get("path"):
        return "none; the movies are corrected already"
    how = "divided by" if gain.get("operation") == "divide" else "multiplied with"
    turned = f", turned by {gain['rotation']}°" if gain.get("rotation") else ""
    flipped = f", flipped {gain['flip']}" if gain.get("flip", "none") != "none" else ""
    return f"counts are {how} {gain['path'].rpartition('/')[2]}{turned}{flipped}"
