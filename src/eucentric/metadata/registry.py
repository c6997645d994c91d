"""The registry of instruments: what a facility knows of its microscopes, and no file holds.

Tables `[instrument.NAME]` of `eucentric.toml`, or of a file `instruments.toml` beside it, which many sites
may share. An instrument is recognised by what programs call it; then it tells what the registry holds of it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from eucentric.metadata.readings import Origin, Reading
from eucentric.metadata.units import Kelvin, Kilovolt, Micrometre, Millimetre

Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DetectorEntry(_Entry):
    """A detector: `[instrument.NAME.detectors.DETECTOR]`, called as programs call it."""

    matches: tuple[Name, ...] = Field(
        default=(), description="Other names of it: programs' names, its place (EF-CCD), SerialEM's number."
    )
    model: Name | None = Field(default=None, description="Model as its maker calls it.")
    manufacturer: Name | None = Field(default=None, description="Its maker.")
    serial_number: Name | None = Field(default=None, description="Its serial number.")
    physical_pixel_size: Micrometre | None = Field(
        default=None, gt=0, le=1000, description="Size of a physical pixel."
    )
    mtf_file: Name | None = Field(
        default=None, description="File of its modulation transfer function, as RELION takes it."
    )
    width: int | None = Field(default=None, gt=0, description="Physical pixels in a row.")
    height: int | None = Field(default=None, gt=0, description="Rows of physical pixels.")
    mode: Literal["counting", "integrating", "super-resolution", "other"] | None = Field(
        default=None, description="How it is used, where files do not say."
    )


class InstrumentEntry(_Entry):
    """A microscope: `[instrument.NAME]`, called as people call it."""

    matches: tuple[Name, ...] = Field(
        default=(),
        description="What files call it: a serial number, its computer's name, a part of SerialEM's title.",
    )
    model: Name | None = Field(default=None, description="Its model.")
    manufacturer: Name | None = Field(default=None, description="Its maker.")
    serial_number: Name | None = Field(default=None, description="Its serial number.")
    cs: Millimetre | None = Field(default=None, ge=-100, le=100, description="Spherical aberration.")
    acceleration_voltage: Kilovolt | None = Field(
        default=None, ge=1, le=3000, description="Acceleration voltage, where files do not say."
    )
    electron_source: Literal["field emission gun", "LaB6", "tungsten hairpin", "other"] | None = Field(
        default=None, description="Kind of electron source."
    )
    illumination: Literal["flood beam", "spot scan", "other"] | None = Field(
        default=None, description="How specimens are illuminated, where files do not say."
    )
    imaging: Literal["bright field", "dark field", "diffraction", "4D-STEM", "other"] | None = Field(
        default=None, description="How images arise, where files do not say."
    )
    operating_mode: Literal["TEM", "EFTEM", "STEM", "other"] | None = Field(
        default=None, description="How it is operated, where files do not say."
    )
    holder: Name | None = Field(default=None, description="Model of the specimen holder.")
    holder_cryogen: Literal["nitrogen", "helium", "none"] | None = Field(
        default=None, description="What cools the holder."
    )
    cryogen: Literal["nitrogen", "helium", "none"] | None = Field(
        default=None, description="What cools the stage."
    )
    temperature_minimal: Kelvin | None = Field(default=None, gt=0, description="Lowest temperature.")
    temperature_maximal: Kelvin | None = Field(default=None, gt=0, description="Highest temperature.")
    energy_filter: Name | None = Field(default=None, description="Model of the energy filter.")
    phase_plate: Name | None = Field(default=None, description="Phase plate, or 'none'.")
    spherical_aberration_corrector: Name | None = Field(default=None, description="The corrector, or 'none'.")
    chromatic_aberration_corrector: Name | None = Field(default=None, description="The corrector, or 'none'.")
    alignment_procedure: Literal["none", "basic", "coma free", "Zemlin tableau", "other"] | None = Field(
        default=None, description="How it is aligned before a session."
    )
    details: Name | None = Field(default=None, description="What else there is to say.")
    detectors: dict[Name, DetectorEntry] = Field(default={}, description="Its detectors.")


_ACQUISITION = {
    "holder",
    "holder_cryogen",
    "cryogen",
    "temperature_minimal",
    "temperature_maximal",
}
"""Fields of an instrument's entry that are terms of the acquisition."""

Registry = Mapping[str, InstrumentEntry]


def instrument_called(registry: Registry, names: Mapping[str, Any]) -> str | None:
    """Return which instrument of the registry it is.

    Args:
        registry: The registry.
        names: What files call it.

    Returns:
        Its name; None where none, or more than one, is called so.
    """
    found = [
        name
        for name, entry in registry.items()
        for wanted in (name, *entry.matches, *filter(None, [entry.serial_number]))
        if any(_is_in(wanted, str(text)) for text in names.values())
    ]
    return found[0] if len(set(found)) == 1 else None


def detector_called(entry: InstrumentEntry, names: Mapping[str, Any]) -> str | None:
    """Return which detector of an instrument it is; the only one where no file names any."""
    if not names and len(entry.detectors) == 1:
        return next(iter(entry.detectors))
    found = [
        name
        for name, detector in entry.detectors.items()
        for wanted in (name, *detector.matches)
        if any(_is_in(wanted, str(text)) for text in names.values())
    ]
    return found[0] if len(set(found)) == 1 else None


def _is_in(wanted: str, text: str) -> bool:
    """Say whether `wanted` stands in `text`, as words of its own, in letters of any size."""
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text, re.IGNORECASE) is not None


def readings_of_instrument(registry: Registry, name: str) -> Iterator[Reading]:
    """Yield what the registry tells of an instrument, but for its detectors."""
    entry = registry[name]

    def reading(term: str, value: Any, key: str) -> Reading:
        return Reading(term, value, Origin("registry", "", f"instrument.{name}{key and '.' + key}"))

    yield reading("instrument.name", name, "")
    for field, value in entry:
        if field in ("matches", "detectors") or value is None:
            continue
        if field == "energy_filter":
            yield reading("energy_filter.model", value, field)
        else:
            head = "acquisition" if field in _ACQUISITION else "instrument"
            yield reading(f"{head}.{field}", value, field)


def readings_of_detector(registry: Registry, name: str, detector: str) -> Iterator[Reading]:
    """Yield what the registry tells of a detector of an instrument."""
    for field, value in registry[name].detectors[detector]:
        if field != "matches" and value is not None:
            origin = Origin("registry", "", f"instrument.{name}.detectors.{detector}.{field}")
            yield Reading(f"detector.{field}", value, origin)
