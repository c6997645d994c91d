"""The microscope, and how it was set while it recorded, in the groups of NXem."""

import re
from typing import Any

from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.vocabulary import Detector
from eucentric.publish.nexus import Group, Number

_EMITTERS = {"field emission gun": "field_emission", "LaB6": "thermionic", "tungsten hairpin": "thermionic"}
_MODES = {"TEM": "tem", "EFTEM": "eftem", "STEM": "stem"}


def instrument(record: AcquisitionRecord) -> Group:
    """Return the microscope as it stands, whatever it records."""
    known, acquisition = record.instrument, record.acquisition
    parts: dict[str, Any] = {
        "name": known.name or known.model,
        "type": "tem",
        "fabrication": _fabrication(known.manufacturer, known.model, known.serial_number),
        "program1": Group(
            "NXprogram",
            {"program": acquisition.microscope_software},
            attributes_of={"program": {"version": acquisition.microscope_software_version or "unknown"}},
        ),
        "ebeam_column": _column(record),
        "stage1": Group("NXmanipulator", {"design": acquisition.holder}),
    }
    for number, detector in enumerate(record.detectors, 1):
        parts[f"detector{number}"] = _detector(detector)
    return Group("NXem_instrument", parts)


def _fabrication(vendor: str | None, model: str | None, serial: str | None = None) -> Group | None:
    """Return who made a thing; None where the maker or the model, which both must be there, is not known."""
    if not vendor or not model:
        return None
    return Group("NXfabrication", {"vendor": vendor, "model": model, "serial_number": serial})


def _column(record: AcquisitionRecord) -> Group:
    known = record.instrument
    corrector = known.spherical_aberration_corrector
    return Group(
        "NXebeam_column",
        {
            "electron_source": Group(
                "NXsource", {"emitter_type": _EMITTERS.get(known.electron_source or "")}
            ),
            "aperture1": Group("NXaperture", {"name": "C2", "description": f"{known.c2_aperture:g} µm"})
            if known.c2_aperture
            else None,
            "corrector_cs1": Group("NXcorrector_cs", {"name": corrector})
            if corrector not in (None, "none")
            else None,
            "phaseplate1": _phase_plate(known.phase_plate)
            if known.phase_plate not in (None, "none")
            else None,
        },
    )


def _phase_plate(name: str | None) -> Group:
    """Return the phase plate; NXem's list knows two kinds, and lets others be said to be one's own."""
    if re.search("volta|vpp|zernike|carbon", name or "", re.IGNORECASE):
        return Group("NXcomponent", {"type": "thin_film", "name": name})
    return Group("NXcomponent", {"type": name}, attributes_of={"type": {"custom": True}})


def _detector(detector: Detector) -> Group:
    pixel = Number(detector.physical_pixel_size, "µm")
    said = (detector.mode, detector.details)
    return Group(
        "NXdetector",
        {
            "name": detector.name or detector.model,
            "fabrication": _fabrication(detector.manufacturer, detector.model, detector.serial_number),
            "x_pixel_size": pixel,
            "y_pixel_size": pixel,
            "description": "; ".join(each for each in said if each) or None,
        },
    )


def event(record: AcquisitionRecord) -> Group:
    """Return what was recorded: one stretch of time with the same settings, and its exposures.

    Defocus is an array with a value for each exposure, in order of time, where all are known; else the
    smallest and the largest. Angles and places of the stage are in a collection of their own: NXem's stage
    must have all of its angles, of which a TEM's has two.
    """
    known = record.acquisition
    return Group(
        "NXem_event_data",
        {
            "start_time": known.date_time.isoformat() if known.date_time else None,
            "end_time": known.date_time_end.isoformat() if known.date_time_end else None,
            "identifier_sample": record.grid.name,
            "type": known.technique,
            "exposures": _exposures(record),
            "instrument": Group(
                "NXem_instrument",
                {
                    "type": "tem",
                    "ebeam_column": Group(
                        "NXebeam_column",
                        {
                            "operation_mode": _MODES.get(record.instrument.operating_mode or ""),
                            "electron_source": Group(
                                "NXsource", {"voltage": Number(record.instrument.acceleration_voltage, "kV")}
                            ),
                        },
                    ),
                    "optics": _optics(record),
                },
            ),
        },
    )


def _optics(record: AcquisitionRecord) -> Group:
    known = record.acquisition
    rate = None
    if known.dose_per_movie and known.exposure_time:
        rate = known.dose_per_movie / known.exposure_time
    return Group(
        "NXem_optical_system",
        {
            "magnification": Number(known.calibrated_magnification or known.nominal_magnification, ""),
            "defocus": Number(
                _every(record, "nominal_defocus")
                or _ends(known.nominal_defocus_minimal, known.nominal_defocus_maximal),
                "angstrom",
            ),
            "semi_convergence_angle": Number(record.instrument.beam_convergence, "mrad"),
            "dose_rate": Number(rate, "1/(angstrom^2*s)"),
            "camera_length": Number(record.instrument.camera_length, "mm"),
        },
    )


_EXPOSURES = {
    "name": "",
    "tilt_angle": "deg",
    "stage_x": "angstrom",
    "stage_y": "angstrom",
    "stage_z": "angstrom",
    "nominal_defocus": "angstrom",
    "dose": "1/angstrom^2",
    "initial_dose": "1/angstrom^2",
    "exposure_time": "s",
}
"""What is told of every exposure, with its unit."""


def _exposures(record: AcquisitionRecord) -> Group:
    """Return values of all exposures, by time, those that are known of each."""
    known = record.acquisition
    parts = {field: Number(_every(record, field), units) for field, units in _EXPOSURES.items()}
    return Group(
        "NXcollection",
        {
            **parts,
            "tilt_angle_minimal": Number(known.tilt_angle_minimal, "deg"),
            "tilt_angle_maximal": Number(known.tilt_angle_maximal, "deg"),
            "tilt_angle_increment": Number(known.tilt_angle_increment, "deg"),
            "tilt_axis_angle": Number(known.tilt_axis_angle, "deg"),
        },
    )


def _every(record: AcquisitionRecord, field: str) -> list[Any] | None:
    """Return a value of every exposure, by time; None where some exposure has none."""
    exposures = sorted(record.exposures, key=lambda each: str(each.date_time or ""))
    values = [getattr(each, field) for each in exposures]
    return values if values and None not in values else None


def _ends(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]
