"""What EMDB and PDB take of a record: values within their ranges, words of their lists.

What they do not take is left out and told, so that one odd value does not make a whole header invalid.
Sources: EMDB's XML schema 3.0.11.3, the PDBx/mmCIF dictionary 5.362.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eucentric.metadata.records import AcquisitionRecord


@dataclass(frozen=True)
class Range:
    """Numbers that are taken.

    Attributes:
        low: The smallest; None where there is none.
        high: The largest.
        is_open: Whether these two are not taken themselves.
    """

    low: float | None = None
    high: float | None = None
    is_open: bool = False

    def takes(self, value: float) -> bool:
        """Say whether a number is taken."""
        if self.is_open and value in (self.low, self.high):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        """Say it for people."""
        low = "" if self.low is None else f"from {self.low:g} "
        high = "" if self.high is None else f"to {self.high:g}"
        return f"{low}{high}".strip()


EMDB_RANGES = {
    "instrument.acceleration_voltage": Range(25),
    "instrument.c2_aperture": Range(2, 150),
    "instrument.cs": Range(0, 20),
    "acquisition.nominal_magnification": Range(1_000, 500_000),
    "acquisition.calibrated_magnification": Range(1_000, 500_000),
    "acquisition.nominal_defocus_minimal": Range(-200_000, 200_000),
    "acquisition.calibrated_defocus_minimal": Range(-200_000, 200_000),
    "acquisition.nominal_defocus_maximal": Range(-300_000, 500_000),
    "acquisition.calibrated_defocus_maximal": Range(-300_000, 500_000),
    "acquisition.exposure_time": Range(0, 240, is_open=True),
    "acquisition.dose_per_movie": Range(0, 1_000),
    "acquisition.temperature_minimal": Range(0, 310),
    "acquisition.temperature_maximal": Range(0, 310),
    "acquisition.grids_imaged": Range(1),
    "acquisition.images_generated": Range(1),
    "acquisition.tilt_angle_minimal": Range(-90, 90, is_open=True),
    "acquisition.tilt_angle_maximal": Range(-90, 90, is_open=True),
    "acquisition.tilt_angle_increment": Range(0, 15, is_open=True),
    "sample.concentration": Range(0, None, is_open=True),
    "processing.particles_used": Range(1),
}
"""By term, in the term's unit."""

MMCIF_RANGES = {
    "instrument.c2_aperture": Range(1, 150),
    "instrument.cs": Range(0, 20),
    "acquisition.nominal_magnification": Range(1_000, 500_000),
    "acquisition.calibrated_magnification": Range(1),
    "acquisition.nominal_defocus_minimal": Range(-200_000, 200_000),
    "acquisition.nominal_defocus_maximal": Range(-200_000, 200_000),
    "acquisition.calibrated_defocus_minimal": Range(2_000, 100_000),
    "acquisition.calibrated_defocus_maximal": Range(-300_000, 300_000),
    "acquisition.exposure_time": Range(0, 240),
    "acquisition.grids_imaged": Range(1),
    "acquisition.images_generated": Range(1),
    "detector.physical_pixel_size": Range(0, 100),
}

Words = tuple[tuple[str, str | None], ...]
"""Patterns, and the word of the list for what they are found in; the first counts, None is in no list."""

_HOLDERS = (
    "FEI TITAN KRIOS AUTOGRID HOLDER",
    "FISCHIONE 2550",
    "FISCHIONE INSTRUMENTS DUAL AXIS TOMOGRAPHY HOLDER",
    "GATAN 626 SINGLE TILT LIQUID NITROGEN CRYO TRANSFER HOLDER",
    "GATAN 910 MULTI-SPECIMEN SINGLE TILT CRYO TRANSFER HOLDER",
    "GATAN 914 HIGH TILT LIQUID NITROGEN CRYO TRANSFER TOMOGRAPHY HOLDER",
    "GATAN 915 DOUBLE TILT LIQUID NITROGEN CRYO TRANSFER HOLDER",
    "GATAN CHDT 3504 DOUBLE TILT HIGH RESOLUTION NITROGEN COOLING HOLDER",
    "GATAN CT3500 SINGLE TILT LIQUID NITROGEN CRYO TRANSFER HOLDER",
    "GATAN CT3500TR SINGLE TILT ROTATION LIQUID NITROGEN CRYO TRANSFER HOLDER",
    "GATAN ELSA 698 SINGLE TILT LIQUID NITROGEN CRYO TRANSFER HOLDER",
    "GATAN HC 3500 SINGLE TILT HEATING/NITROGEN COOLING HOLDER",
    "GATAN HCHDT 3010 DOUBLE TILT HIGH RESOLUTION HELIUM COOLING HOLDER",
    "GATAN HCHST 3008 SINGLE TILT HIGH RESOLUTION HELIUM COOLING HOLDER",
    "GATAN HELIUM",
    "GATAN LIQUID NITROGEN",
    "GATAN UHRST 3500 SINGLE TILT ULTRA HIGH RESOLUTION NITROGEN COOLING HOLDER",
    "GATAN ULTDT ULTRA LOW TEMPERATURE DOUBLE TILT HELIUM COOLING HOLDER",
    "GATAN ULTST ULTRA LOW TEMPERATURE SINGLE TILT HELIUM COOLING HOLDER",
    "HOME BUILD",
    "JEOL",
    "JEOL 3200FSC CRYOHOLDER",
    "JEOL CRYOSPECPORTER",
    "PHILIPS ROTATION HOLDER",
    "SIDE ENTRY, EUCENTRIC",
)


def _listed(*words: str) -> Words:
    return tuple((re.escape(word) + "$", word) for word in words)


HOLDER_WORDS: Words = (
    *_listed(*_HOLDERS),
    ("autogrid|krios|glacios|autoloader", _HOLDERS[0]),
    (r"\b626\b", _HOLDERS[3]),
    (r"\b914\b", _HOLDERS[5]),
    (r"\belsa\b|\b698\b", _HOLDERS[10]),
    (r"2550", _HOLDERS[1]),
    (r"cryospecporter", "JEOL CRYOSPECPORTER"),
    ("", "OTHER"),
)
GRID_WORDS: Words = (
    *_listed("COPPER/PALLADIUM", "COPPER/RHODIUM", "NICKEL/TITANIUM", "GRAPHENE OXIDE", "SILICON NITRIDE"),
    (r"copper|\bcu\b", "COPPER"),
    (r"gold|\bau\b", "GOLD"),
    (r"molybdenum|\bmo\b", "MOLYBDENUM"),
    (r"nickel|\bni\b", "NICKEL"),
    ("platinum", "PLATINUM"),
    ("titanium", "TITANIUM"),
    ("tungsten", "TUNGSTEN"),
    ("nitride", "SILICON NITRIDE"),
)
_TOPOLOGY_WORDS: Words = (
    ("array|regular", "HOLEY ARRAY"),
    ("holey|holes", "HOLEY"),
    ("lacey|lacy", "LACEY"),
    ("continuous", "CONTINUOUS"),
)
_FREEZERS: Words = (
    *(
        (rf"vitrobot.*\b(mark|mk)?\s*({numeral}|{digit})$", f"FEI VITROBOT MARK {numeral}")
        for digit, numeral in enumerate(("I", "II", "III", "IV"), 1)
    ),
    (r"em ?gp", "LEICA EM GP"),
    (r"em ?cpc", "LEICA EM CPC"),
    ("kf ?80", "LEICA KF80"),
    ("leica", "LEICA PLUNGER"),
    ("cryo ?plunge", "GATAN CRYOPLUNGE 3"),
    ("spotiton", "SPOTITON"),
    ("home|manual", "HOMEMADE PLUNGER"),
    ("reichert", "REICHERT-JUNG PLUNGER"),
    ("ems-002", "EMS-002 RAPID IMMERSION FREEZER"),
    ("zeiss", "ZEISS PLUNGE FREEZER CRYOBOX"),
)
EMDB_WORDS: Mapping[str, Words] = {
    "acquisition.holder": HOLDER_WORDS,
    "grid.material": GRID_WORDS,
    "grid.film_material": (
        ("graphene oxide", "GRAPHENE OXIDE"),
        ("graphene", "GRAPHENE"),
        ("gold|\bau\b", "GOLD"),
        ("cellulose", "CELLULOSE ACETATE"),
        ("formvar", "FORMVAR"),
        ("parlodion", "PARLODION"),
        ("silic", "SILICON DIOXIDE"),
        ("carbon", "CARBON"),
    ),
    "grid.film_topology": _TOPOLOGY_WORDS,
    "sample.vitrification_instrument": (
        *_FREEZERS,
        ("vitrojet", "CRYOSOL VITROJET"),
        ("chameleon", "SPT LABTECH CHAMELEON"),
        ("", "OTHER"),
    ),
}
MMCIF_WORDS: Mapping[str, Words] = {
    "acquisition.holder": HOLDER_WORDS,
    "grid.material": GRID_WORDS,
    "grid.film_material": (
        ("formvar", "FORMVAR PLUS CARBON"),
        ("cellulose", "CELLULOSE ACETATE PLUS CARBON"),
        ("parlodion", "PARLODION PLUS CARBON"),
        ("holey.*carbon", "HOLEY CARBON"),
        ("carbon", "CARBON"),
    ),
    "sample.vitrification_instrument": _FREEZERS,
}


def acceptable(
    record: AcquisitionRecord, ranges: Mapping[str, Range], words: Mapping[str, Words], who: str
) -> tuple[AcquisitionRecord, tuple[str, ...]]:
    """Return a record without what somebody does not take, and what has been left out.

    Args:
        record: The record.
        ranges: The ranges of numbers, by term.
        words: The lists of words, by term; what is in them is translated.
        who: Who takes or does not take it: `EMDB`.
    """
    updates, told = dict[str, dict[str, object]](), list[str]()
    for term in (*ranges, *words):
        value = record.value(term)
        if value is None:
            continue
        entity, _, field = term.partition(".")
        what = field.replace("_", " ")
        if term in ranges:
            if ranges[term].takes(value):
                continue
            updates.setdefault(entity, {})[field] = None
            told.append(f"{who} takes no {what} of {value:g}, but {ranges[term]}; it is left out.")
            continue
        word = _word(str(value), words[term])
        updates.setdefault(entity, {})[field] = word
        if word is None:
            told.append(f"{who} has no {what} such as {value!r} in its list; it is left out.")
    return _updated(record, updates), tuple(told)


def _word(text: str, words: Sequence[tuple[str, str | None]]) -> str | None:
    return next((word for pattern, word in words if re.search(pattern, text, re.IGNORECASE)), None)


def _updated(record: AcquisitionRecord, updates: Mapping[str, dict[str, object]]) -> AcquisitionRecord:
    changed: dict[str, object] = {
        entity: getattr(record, entity).model_copy(update=values)
        for entity, values in updates.items()
        if entity != "detector"
    }
    if "detector" in updates:
        first = record.detectors[0].model_copy(update=updates["detector"])
        changed["detectors"] = (first, *record.detectors[1:])
    return record.model_copy(update=changed)
