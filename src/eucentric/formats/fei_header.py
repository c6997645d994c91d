"""The extended header that microscopes of Thermo Fisher (FEI) write into MRC files.

Layout: "MRC2014 file image format specification" of FEI, types FEI1 (768 bytes per frame) and FEI2
(888 bytes). Every field is switched on by a bit of the bitmask before it, in the order of the fields; a
field whose bit is off was not set by the microscope and is left out here. Numbers for modes: 1 TEM, 2 STEM;
1 diffraction, 2 imaging; 1 nanoprobe, 2 microprobe (other than in the microscope's scripting).
"""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from mrcfile.dtypes import get_ext_header_dtype

TYPES = (b"FEI1", b"FEI2")

_METRE = 1e10  # in Å
_PER_SQUARE_METRE = 1e-20  # in Å⁻²


def _text(value: bytes) -> str:
    return value.split(b"\0")[0].decode("latin-1").strip()


def _days_since_1900(value: float) -> datetime | None:
    # Days since 30 December 1899, the zero of Windows dates, in the local time of the microscope.
    return datetime(1899, 12, 30) + timedelta(days=value) if 0 < value < 100_000 else None


_MODES = {1: "TEM", 2: "STEM"}
_PROJECTIONS = {1: "diffraction", 2: "imaging"}
_PROBES = {1: "nanoprobe", 2: "microprobe"}

# Field of the specification, name here, conversion. All lengths are metres in the file.
_FIELDS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("Timestamp", "recorded", _days_since_1900),  # datetime without time zone
    ("Microscope type", "microscope", _text),
    ("Application", "application", _text),
    ("Application version", "application_version", _text),
    ("HT", "voltage", lambda volt: volt / 1e3),  # kV
    ("Dose", "dose", lambda dose: dose * _PER_SQUARE_METRE),  # e⁻/Å²
    ("Alpha tilt", "tilt", float),  # °
    ("Beta tilt", "stage_beta", float),  # °
    ("X-Stage", "stage_x", lambda x: x * _METRE),  # Å
    ("Y-Stage", "stage_y", lambda y: y * _METRE),  # Å
    ("Z-Stage", "stage_z", lambda z: z * _METRE),  # Å
    ("Tilt axis angle", "tilt_axis", float),  # °
    ("Pixel size X", "pixel_size", lambda size: size * _METRE),  # Å/px
    (
        "Defocus",
        "lens_defocus",
        lambda defocus: -defocus * _METRE,
    ),  # Å, underfocus > 0, its zero is arbitrary
    # The defocus that the operator asked for.
    ("Applied defocus", "target_defocus", lambda defocus: -defocus * _METRE),  # Å, underfocus > 0
    ("Instrument mode", "mode", _MODES.get),
    ("Projection mode", "projection", _PROJECTIONS.get),
    ("Probe mode", "probe", _PROBES.get),
    ("EFTEM On", "eftem", bool),
    ("Magnification", "magnification", float),
    ("Camera length", "camera_length", lambda length: length * 1e3),  # mm
    ("Spot index", "spot_size", int),
    ("Illuminated area", "beam_diameter", lambda diameter: diameter * _METRE),  # Å
    ("Convergence angle", "convergence", lambda angle: angle * 1e3),  # mrad
    ("Illumination mode", "illumination", _text),
    ("Slit inserted", "slit_inserted", bool),
    ("Slit width", "slit_width", float),  # eV
    ("Energy shift", "energy_shift", float),  # eV
    ("Integration time", "exposure_time", float),  # s
    ("Binning Width", "binning", int),
    ("Camera name", "camera", _text),
    ("Direct detector electron counting", "electron_counting", bool),
    ("Phase Plate", "phase_plate", bool),
    ("Start frame", "first_frame", int),
    ("End frame", "last_frame", int),
    ("STEM Detector name", "stem_detector", _text),
    ("Dwell time", "dwell_time", float),  # s
    ("Frame time", "frame_time", float),  # s
    ("Detector commercial name", "detector", _text),
    ("Objective aperture name", "objective_aperture", _text),
)


def block_size(exttyp: bytes) -> int:
    """Return the bytes that one frame takes in an extended header of type FEI1 or FEI2."""
    return int(get_ext_header_dtype(exttyp, "<").itemsize)


def read_fei_block(block: bytes, exttyp: bytes, byte_order: str) -> dict[str, Any]:
    """Read what the extended header says about one frame, in Eucentric's units.

    Args:
        block: At least `block_size(exttyp)` bytes.
        exttyp: b"FEI1" or b"FEI2".
        byte_order: "<" or ">", that of the main header.

    Returns:
        A dictionary with those of these keys that the microscope set: recorded (datetime of the
        microscope's clock), microscope, application, application_version, voltage (kV), dose (e⁻/Å²),
        tilt, stage_beta (°), stage_x, stage_y, stage_z (Å), tilt_axis (°), pixel_size (Å/px), lens_defocus,
        target_defocus (Å, underfocus positive), mode ("TEM", "STEM"), projection ("diffraction",
        "imaging"), probe ("nanoprobe", "microprobe"), eftem, magnification, camera_length (mm), spot_size,
        beam_diameter (Å), convergence (mrad), illumination, slit_inserted, slit_width, energy_shift (eV),
        exposure_time (s), binning, camera, electron_counting, phase_plate, first_frame, last_frame,
        stem_detector, dwell_time, frame_time (s), detector, objective_aperture.
        Numbers are finite.
    """
    dtype = get_ext_header_dtype(exttyp, byte_order)
    record = np.frombuffer(block[: dtype.itemsize], dtype=dtype)[0]
    present = _fields_present(record, dtype.names)
    found: dict[str, Any] = {}
    for name, key, convert in _FIELDS:
        if name not in present or not _is_finite(record[name]):
            continue
        value = convert(record[name].item())
        if value is not None and value != "" and _is_finite(value):
            found[key] = value
    return found


def _fields_present(record: np.void, names: tuple[str, ...]) -> set[str]:
    present: set[str] = set()
    mask, bit = 0, 0
    for name in names[2:]:  # the size and version of the block come before the first bitmask
        if name.startswith("Bitmask"):
            mask, bit = int(record[name]), 0
            continue
        if mask >> bit & 1:
            present.add(name)
        bit += 6 if name == "Unused range" else 1  # six unused numbers stand in one field
    return present


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
