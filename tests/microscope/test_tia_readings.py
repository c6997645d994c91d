"""TIA's `.emi` and `.ser`."""

import struct
from pathlib import Path
from typing import Any

import pytest

from eucentric.formats import FormatError
from eucentric.formats.tia import read_emi, read_ser
from eucentric.microscope.gather import gather
from eucentric.microscope.metadata_readers import read_metadata
from microscope.found_values import values


def ser(kind: int, version: int = 0x0210, elements: int = 3) -> bytes:
    """Return a series of spectra (0x4120) or images (0x4122)."""
    unit = b"m"
    series = struct.pack("<iddi", elements, 0, 2e-9, 0) + struct.pack("<i", 4) + b"Scan"
    series += struct.pack("<i", len(unit)) + unit
    letter = "q" if version >= 0x0220 else "i"
    head = b"II\x97\x01" + struct.pack("<Hiiii", version, kind, 0x4152, elements, elements)
    table = len(head) + struct.calcsize(f"<{letter}i") + len(series)
    place = table + elements * 2 * struct.calcsize(f"<{letter}")
    element = (
        struct.pack("<ddihi", 100.0, 0.5, 0, 6, 1024)
        if kind == 0x4120
        else struct.pack("<ddiddihii", 0, 3e-10, 0, 0, -3e-10, 0, 6, 512, 256)
    )
    offsets = struct.pack(f"<{2 * elements}{letter}", *[place] * 2 * elements)
    return head + struct.pack(f"<{letter}i", table, 1) + series + offsets + element


@pytest.mark.parametrize("version", [0x0210, 0x0220])
def test_a_line_of_spectra_and_a_series_of_images(tmp_path: Path, version: int) -> None:
    file = tmp_path / "line_1.ser"
    file.write_bytes(ser(0x4120, version))
    found = values(read_metadata(file), "line_1")
    assert (found["exposure.channels"], found["detector.dispersion"]) == (1024, 0.5)
    assert (found["exposure.scan_width"], found["exposure.scan_step"]) == (3, pytest.approx(20))
    file.write_bytes(ser(0x4122, version))
    found = values(read_metadata(file), "line_1")
    assert (found["exposure.width"], found["exposure.height"], found["exposure.frames"]) == (512, 256, 3)
    assert found["exposure.pixel_size"] == pytest.approx(3)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda raw: b"II\x00\x00" + raw[4:], "not a ser file"),
        (lambda raw: raw[:30], "cut short"),
        (lambda raw: raw[:14] + struct.pack("<ii", 2**31 - 1, 5) + raw[22:], "claims 5 of 2147483647"),
        (lambda raw: raw[:18] + struct.pack("<i", 0) + raw[22:], "no image and no spectrum yet"),
        (lambda raw: raw[:22] + struct.pack("<i", 10**9) + raw[26:], "points out of the file"),
    ],
)
def test_a_damaged_ser_is_refused(tmp_path: Path, change: Any, what: str) -> None:
    file = tmp_path / "x_1.ser"
    file.write_bytes(change(ser(0x4122)))
    with pytest.raises(FormatError, match=what):
        read_ser(file)


def test_images_of_tia_are_told_by_the_emi_beside_them(shared: Path) -> None:
    name = "rosettasciio__16x16_STEM_BF_DF_acquire"
    record = gather([shared / "fixtures" / f"{name}.emi"])
    (acquisition,) = record.acquisitions
    assert [each.name for each in acquisition.exposures] == [f"{name}_1", f"{name}_2"]
    assert [each.pixel_size for each in acquisition.exposures] == [pytest.approx(215.1004, rel=1e-5)] * 2
    assert acquisition.instrument.name == "Tecnai 200 kV D2267 SuperTwin"
    assert acquisition.instrument.electron_source == "LaB6"
    assert acquisition.contradictions == ()


def emi(*labels: tuple[str, str, str]) -> bytes:
    data = "".join(f"<Data><Label>{a}</Label><Value>{b}</Value><Unit>{c}</Unit></Data>" for a, b, c in labels)
    described = f"<ExperimentalDescription><Root>{data}</Root></ExperimentalDescription>"
    text = f"<ObjectInfo>{described}</ObjectInfo>"
    return b"\0\1\2binary" + text.encode("cp1252") + b"\xff\xfe more"


def test_units_of_an_emi_are_believed_not_guessed(tmp_path: Path) -> None:
    file = tmp_path / "a.emi"
    file.write_bytes(
        emi(
            ("High tension", "80000", "V"),
            ("Camera length", "1,2", "m"),
            ("Stage X", "3", "parsec"),
            ("Stage A", "100", "mrad"),
            ("Defocus", "-0,5", "\u00b5m"),
            ("Spot size", "0", ""),
            ("Mode", "TEM uP Mi Zoom Diffraction", ""),
        )
    )
    found = values(read_metadata(file), "a_1")
    assert found["instrument.acceleration_voltage"] == 80
    assert found["instrument.camera_length"] == 1200
    assert found["exposure.tilt_angle"] == pytest.approx(5.729578)
    assert found["exposure.lens_defocus"] == 5000
    assert found["instrument.imaging"] == "diffraction"
    assert {"exposure.stage_x", "instrument.spot_size"}.isdisjoint(found)


def test_what_an_emi_says_may_lie_across_pieces_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.emi"
    one = emi(("High tension", "200", "kV"))
    for padding in (2**20 - 30, 2**20 - 15, 2**20 - 3):
        file.write_bytes(bytes(padding) + one + bytes(2**20) + one)
        assert len(read_emi(file)) == 2
    file.write_bytes(b"<ObjectInfo>" + bytes(2**23))
    with pytest.raises(FormatError, match="does not end"):
        read_emi(file)
    file.write_bytes(b"nothing")
    with pytest.raises(FormatError, match="says nothing"):
        read_emi(file)


# Velox and EMD


def test_letters_that_xml_must_not_have_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "a.emi"
    file.write_bytes(
        emi(("High tension", "200", "kV"), ("User", "a\x02b", ""), ("Microscope", "Microscope T12", ""))
    )
    found = values(read_metadata(file), "a_1")
    assert (found["instrument.name"], found["instrument.acceleration_voltage"]) == ("T12", 200)
