"""OSCEM: the Open Standards Community for Electron Microscopy's JSON, version 1.0.2.

Fields: the schemas for single particles, tomography and the rest. Quantities are given in the units of
the conversion table that the standard ships; the keys are the standard's.
"""

from datetime import UTC
from typing import Any

from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish.description import Description, Funding, Person
from eucentric.publish.document import Document, without_nothing
from eucentric.publish.oscem_processing import processing, quantity

SCHEMAS = {"single particle": "spa", "tomography": "cellular_tomo", "subtomogram averaging": "subtomo"}
"""The schema of each technique; of what is not here, `general`."""

_ANGSTROM_PER_MICROMETRE = 1e4
_ASSEMBLY = {"filament": "FILAMENT", "helical array": "HELICAL ARRAY", "particle": "PARTICLE"}


def oscem(record: AcquisitionRecord, description: Description | None = None) -> Document:
    """Return what is known of an acquisition as OSCEM's JSON.

    Args:
        record: The acquisition.
        description: What people say, for its `organizational` part.
    """
    content = without_nothing(
        {
            "acquisition": _acquisition(record),
            "instrument": _instrument(record),
            "sample": _sample(record),
            "organizational": None if description is None else _people(description),
            "processing": processing(record) if schema_of(record) == "spa" else None,
        }
    )
    return Document(content, tuple(_missing(record, content)))


def schema_of(record: AcquisitionRecord) -> str:
    """Return the name of the schema that the acquisition's document follows."""
    return SCHEMAS.get(record.acquisition.technique or "", "general")


def _range(low: float | None, high: float | None, unit: str, factor: float = 1.0) -> dict[str, Any]:
    return {"minimal": quantity(low, unit, factor), "maximal": quantity(high, unit, factor)}


def _instrument(record: AcquisitionRecord) -> dict[str, Any]:
    known = record.instrument
    return {
        "microscope": {"manufacturer": known.manufacturer, "model": known.model} if known.model else None,
        "illumination": known.illumination,
        "imaging": known.imaging,
        "electron_source": known.electron_source,
        "acceleration_voltage": quantity(known.acceleration_voltage, "kV"),
        "c2_aperture": quantity(known.c2_aperture, "um"),
        "cs": quantity(known.cs, "mm"),
        "beam_convergence": quantity(known.beam_convergence, "mrad"),
        "operating_mode": known.operating_mode,
    }


def _acquisition(record: AcquisitionRecord) -> dict[str, Any]:
    known = record.acquisition
    when = known.date_time
    if when is not None and when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    schema = schema_of(record)
    return {
        "technique": known.technique if schema == "general" else schema,
        "detectors": [
            {
                "name": each.name or each.model,
                "mode": each.mode,
                "collection_angle": _range(
                    each.collection_angle_minimal, each.collection_angle_maximal, "mrad"
                ),
            }
            for each in record.detectors
        ],
        "date_time": when and when.isoformat(),
        "binning_camera": _binning(record),
        "pixel_size": quantity(known.pixel_size, "Å"),
        "image_size": {"width": known.image_width, "height": known.image_height},
        "nominal_magnification": _whole(known.nominal_magnification),
        "calibrated_magnification": _whole(known.calibrated_magnification),
        "nominal_defocus": _range(
            known.nominal_defocus_minimal, known.nominal_defocus_maximal, "um", 1 / _ANGSTROM_PER_MICROMETRE
        ),
        "calibrated_defocus": _range(
            known.calibrated_defocus_minimal,
            known.calibrated_defocus_maximal,
            "um",
            1 / _ANGSTROM_PER_MICROMETRE,
        ),
        "dose_per_movie": quantity(known.dose_per_movie, "1/Å^2"),
        "exposure_time": quantity(known.exposure_time, "s"),
        "frames_per_movie": _whole(known.frames_per_movie),
        "beamtiltgroups": known.beamtiltgroups,
        "cryogen": known.cryogen,
        "images_generated": known.images_generated,
        "grids_imaged": known.grids_imaged,
        "holder": known.holder,
        "holder_cryogen": known.holder_cryogen,
        "temperature": _range(known.temperature_minimal, known.temperature_maximal, "K"),
        "microscope_software": _software(known.microscope_software, known.microscope_software_version),
        "gainref_flip_rotate": record.detector.gainref_flip_rotate,
        "screen_current": quantity(known.screen_current, "nA"),
        "energy_filter": _energy_filter(record),
        "specialist_optics": _specialist_optics(record),
        **(_tilts(record) if schema in ("cellular_tomo", "subtomo", "env_tomo") else {}),
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _software(name: str | None, version: str | None) -> str | None:
    return " ".join(each for each in (name, version) if each) or None


def _binning(record: AcquisitionRecord) -> dict[str, Any] | None:
    """Return the binning, which is a whole number there: super-resolution, half a pixel, counts as 1."""
    binning = record.acquisition.binning_camera
    if binning is None:
        return None
    whole = max(1, round(binning))
    return {"width": whole, "height": whole}


def _energy_filter(record: AcquisitionRecord) -> dict[str, Any] | None:
    known = record.energy_filter
    if known.used is None:
        return None
    width = known.width_energy_filter
    if known.used and width is None:
        return None
    # The standard wants a width of a slit that is not in, too: that of no slit is 0.
    return {
        "used": known.used,
        "model": known.model,
        "width_energy_filter": quantity(width if known.used else 0.0, "eV"),
    }


def _specialist_optics(record: AcquisitionRecord) -> dict[str, Any]:
    known = record.instrument
    return {
        key: None if value is None else {"used": value != "none", "instrument_type": value}
        for key, value in (
            ("phaseplate", known.phase_plate),
            ("spherical_aberration_corrector", known.spherical_aberration_corrector),
            ("chromatic_aberration_corrector", known.chromatic_aberration_corrector),
        )
    }


def _tilts(record: AcquisitionRecord) -> dict[str, Any]:
    known = record.acquisition
    angles = {
        **_range(known.tilt_angle_minimal, known.tilt_angle_maximal, "°"),
        "increment": quantity(known.tilt_angle_increment, "°"),
    }
    whole = None not in angles.values()  # the standard takes all three or none
    return {"tilt_angle": angles if whole else None, "tilt_axis_angle": known.tilt_axis_angle}


def _sample(record: AcquisitionRecord) -> dict[str, Any] | None:
    """Return the sample; none for tomography, whose own description of cells nobody here gives."""
    known = record.sample
    if schema_of(record) not in ("spa", "general") or _lacks_name(record):
        return None
    return {
        "name": known.name,
        "description": known.description,
        "overall_molecule": {
            "name_sample": known.name,
            "source": known.source,
            "assembly": _ASSEMBLY.get(known.assembly or ""),
            "molecular_overall_type": _overall_type(known.molecular_overall_type),
            "molecular_weight": quantity(known.molecular_weight, "kDa"),
        }
        if known.source and known.name
        else None,
        "molecule": [
            each.model_dump()
            for each in record.molecules
            if each.name_mol and each.sequence and each.natural_source
        ],
        "specimen": {
            "buffer": known.buffer,
            "concentration": quantity(known.concentration, "mg/ml"),
            "ph": known.ph,
            "vitrification": known.vitrification,
            "vitrification_cryogen": known.vitrification_cryogen,
            "humidity": quantity(known.humidity, "%"),
            "temperature": quantity(known.temperature, "K"),
            "staining": known.staining,
            "embedding": known.embedding,
            "shadowing": known.shadowing,
        },
        "grid": _grid(record),
    }


def _lacks_name(record: AcquisitionRecord) -> bool:
    """Say whether the sample lacks what the general schema takes it with: its name and its description."""
    known = record.sample
    return schema_of(record) == "general" and None in (known.name, known.description)


def _overall_type(text: str | None) -> str | None:
    words = ("CELL", "COMPLEX", "ORGANELLE OR CELLULAR COMPONENT", "RIBOSOME", "TISSUE", "VIRUS")
    return text.upper() if text is not None and text.upper() in words else None


def _grid(record: AcquisitionRecord) -> dict[str, Any]:
    known = record.grid
    return {
        "manufacturer": known.manufacturer,
        "material": known.material,
        "mesh": known.mesh,
        "film_support": known.film_support,
        "film_material": known.film_material,
        "film_topology": known.film_topology,
        "film_thickness": known.film_thickness,
        "pretreatment_type": known.pretreatment_type,
        "pretreatment_time": quantity(known.pretreatment_time, "s"),
        "pretreatment_pressure": quantity(known.pretreatment_pressure, "Pa"),
        "pretreatment_atmosphere": known.pretreatment_atmosphere,
    }


def _people(description: Description) -> dict[str, Any]:
    return {
        "authors": [_author(each) for each in description.authors if each.email],
        "funder": [_funder(each) for each in description.funding],
        "grants": [
            {"grant_name": each.title, "project_id": each.award, "country": each.country}
            for each in description.funding
            if each.award or each.title
        ],
    }


def _author(person: Person) -> dict[str, Any]:
    place = person.affiliation
    given = f"{person.given_name} {person.middle_name}" if person.middle_name else person.given_name
    return {
        "given_name": given,
        "family_name": person.family_name,
        "email": person.email,
        "orcid": person.orcid,
        "telephone": person.telephone,
        "type_org": (place.kind if place else "other").capitalize(),
        "name_org": place and place.name,
        "country": place and place.country,
        "role": "corresponding author" if person.corresponding else None,
    }


def _funder(funding: Funding) -> dict[str, Any]:
    return {"funder_name": funding.funder, "country": funding.country}


_REQUIRED = {
    "instrument": {
        "microscope": "the model of the microscope",
        "illumination": "the mode of illumination",
        "imaging": "the mode of imaging",
        "electron_source": "the electron source",
        "acceleration_voltage": "the acceleration voltage",
    },
    "acquisition": {
        "detectors": "the detector",
        "date_time": "the date of the experiment",
        "binning_camera": "the binning of the camera",
        "pixel_size": "the pixel size",
    },
}


def _missing(record: AcquisitionRecord, content: dict[str, Any]) -> list[str]:
    lacking = [
        f"OSCEM requires {what} ({part}.{key}), which is not known."
        for part, fields in _REQUIRED.items()
        for key, what in fields.items()
        if not content.get(part, {}).get(key)
    ]
    filtered = record.energy_filter
    if filtered.used and filtered.width_energy_filter is None:
        lacking.append(
            "OSCEM requires the width of the slit (acquisition.energy_filter.width_energy_filter)."
        )
    if _lacks_name(record) and record.sample.model_dump(exclude_none=True):
        lacking.append(
            "OSCEM takes a sample with its name and its description only (sample); it is left out."
        )
    if schema_of(record) == "spa" and content.get("sample") and "overall_molecule" not in content["sample"]:
        lacking.append("OSCEM requires the name and the source of the sample (sample.overall_molecule).")
    if schema_of(record) == "cellular_tomo":
        for key, what in (
            ("tilt_angle", "the tilt angles"),
            ("tilt_axis_angle", "the angle of the tilt axis"),
        ):
            if key not in content.get("acquisition", {}):
                lacking.append(f"OSCEM requires {what} (acquisition.{key}), which is not known.")
    return lacking
