"""The figures of an exposure that the report shows: name, label and unit are declared here once."""

from collections.abc import Callable
from typing import Any, NamedTuple

from eucentric.metadata.vocabulary import label, unit_of_term
from eucentric.monitors.exposures import Exposure

ANGSTROM_PER_MICROMETRE = 10_000


class Quantity(NamedTuple):
    """One figure of every exposure.

    Attributes:
        name: What the page's program calls it.
        label: What people read.
        unit: Its unit, empty for a pure number.
        decimals: With how many it is written.
        of: Finds it in an exposure; None where it is not known.
    """

    name: str
    label: str
    unit: str
    decimals: int
    of: Callable[[Exposure], float | None]


def _field(kind: str, name: str, scale: float = 1.0) -> Callable[[Exposure], float | None]:
    def of(exposure: Exposure) -> float | None:
        value = exposure.items.get(kind, {}).get(name)
        return None if value is None else value * scale

    return of


def _defocus(exposure: Exposure) -> float | None:
    ctf = exposure.items.get("ctf")
    return (ctf["defocus_u"] + ctf["defocus_v"]) / 2 / ANGSTROM_PER_MICROMETRE if ctf else None


def _astigmatism(exposure: Exposure) -> float | None:
    ctf = exposure.items.get("ctf")
    return ctf["defocus_u"] - ctf["defocus_v"] if ctf else None


def _counts(exposure: Exposure) -> float | None:
    """Return the mean counts in % of what the stated dose would give."""
    micrograph = exposure.items.get("micrograph", {})
    mean, expected = micrograph.get("mean_counts"), micrograph.get("expected_counts")
    return None if mean is None or not expected else 100 * mean / expected


def _particles(exposure: Exposure) -> float | None:
    for kind in ("particles", "coordinates"):
        if kind in exposure.items:
            return float(exposure.items[kind]["count"])
    return None


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("defocus", "Defocus", "µm", 3, _defocus),
    Quantity(
        "target", label("exposure.nominal_defocus"), "µm", 3, _field("metadata", "target_defocus", 1e-4)
    ),
    Quantity("resolution", "CTF fit to", "Å", 2, _field("ctf", "resolution")),
    Quantity("motion", "Motion", "Å", 1, _field("micrograph", "motion_total")),
    Quantity("early", "Early motion", "Å", 1, _field("micrograph", "motion_early")),
    Quantity("late", "Late motion", "Å", 1, _field("micrograph", "motion_late")),
    Quantity("local", "Local motion (rms)", "Å", 2, _field("micrograph", "motion_local")),
    Quantity("astigmatism", "Astigmatism", "Å", 0, _astigmatism),
    Quantity("angle", "Angle of astigmatism", "°", 1, _field("ctf", "defocus_angle")),
    Quantity("phase", "Phase shift", "°", 1, _field("ctf", "phase_shift")),
    Quantity("tilt", "Tilt of the specimen", "°", 1, _field("ctf", "tilt")),
    Quantity("counts", "Counts / expected", "%", 1, _counts),
    Quantity("mean", "Mean counts per pixel and frame", "", 4, _field("micrograph", "mean_counts")),
    Quantity("ice", "Ice ring at 3.7 Å", "", 3, _field("ctf", "ice_ring")),
    Quantity("confidence", "Confidence of the CTF", "", 3, _field("ctf", "confidence")),
    Quantity("score", "Correlation with the CTF", "", 3, _field("ctf", "score")),
    Quantity("gain", "Gain left in the sum", "", 4, _field("micrograph", "gain_residual")),
    Quantity("particles", "Particles", "", 0, _particles),
    Quantity("excluded", "Avoided area", "%", 1, _field("coordinates", "excluded", 100)),
    Quantity(
        "dose", label("exposure.dose"), unit_of_term("exposure.dose") or "", 1, _field("micrograph", "dose")
    ),
    Quantity("dropped", "Dropped frames", "", 0, _field("movie", "dropped_frames")),
    Quantity("latency", "From file to CTF", "s", 1, lambda exposure: exposure.latency),
)


def row_of(exposure: Exposure) -> list[Any]:
    """Return the figures of an exposure in the order of `QUANTITIES`, rounded; None where unknown."""
    values: list[Any] = []
    for quantity in QUANTITIES:
        value = quantity.of(exposure)
        if value is not None:
            value = round(value) if quantity.decimals == 0 else round(value, quantity.decimals)
        values.append(value)
    return values
