"""What extended headers say of each section: SerialEM's and the microscope's."""

import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from mrcfile.dtypes import get_ext_header_dtype

from eucentric.formats import FormatError, read_info, write_mrc
from eucentric.formats.mrc_sections import read_sections
from eucentric.microscope.gather import gather
from eucentric.microscope.metadata_readers import read_metadata

ANGLES = [-60.0, 0.03, 59.99]


def serialem(path: Path, order: str = "<", kind: bytes = b"SERI", flags: int = 1 | 4 | 8 | 32) -> Path:
    """Write a stack of three images with angle, stage, magnification and dose of each."""
    blocks = b"".join(
        struct.pack(f"{order}hhhhhh", round(angle * 100), 25 * n, -50, 530, 3 * 128, -7 * 256)
        for n, angle in enumerate(ANGLES)
    )
    write_mrc(path, np.zeros((3, 4, 5), np.int16), 2.5)
    raw = bytearray(path.read_bytes())
    if order == ">":
        fields = np.frombuffer(bytes(raw[:1024]), "<i4").byteswap().tobytes()
        text = bytes(raw[208:212])
        raw[:1024] = fields
        raw[208:212], raw[212:216], raw[220:1024] = text, b"\x11\x11\0\0", bytes(804)
    raw[92:96] = struct.pack(f"{order}i", len(blocks))
    raw[104:108] = kind
    raw[128:132] = struct.pack(f"{order}hh", 12, flags)
    path.write_bytes(bytes(raw[:1024]) + blocks + bytes(raw[1024:]))
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [b"SERI", b"\0\0\0\0"])
def test_sections_of_serialem(tmp_path: Path, order: str, kind: bytes) -> None:
    found = read_sections(serialem(tmp_path / "ts.st", order, kind))
    assert [each["tilt"] for each in found] == [-60.0, 0.03, 59.99]
    assert [each["stage_x"] for each in found] == [0, 10_000, 20_000]
    assert {each["stage_y"] for each in found} == {-20_000}
    assert {each["magnification"] for each in found} == {53_000}
    assert {each["dose"] for each in found} == {3 * 128 * 256 * 2.0**-7}


def test_flags_that_do_not_add_up_are_something_else(tmp_path: Path) -> None:
    assert read_sections(serialem(tmp_path / "ts.st", flags=1 | 4)) == []
    assert read_sections(serialem(tmp_path / "ts.st", kind=b"AGAR")) == []


def test_a_stack_of_serialem_is_a_tilt_series(tmp_path: Path) -> None:
    file = serialem(tmp_path / "ts.st")
    (acquisition,) = gather([file]).acquisitions
    assert acquisition.acquisition.technique == "tomography"
    (series,) = acquisition.tilt_series
    assert (series.name, series.images) == ("ts", 3)
    assert [each.tilt_angle for each in acquisition.exposures] == [-60.0, 0.03, 59.99]
    assert {(each.width, each.height, each.pixel_size) for each in acquisition.exposures} == {(5, 4, 2.5)}
    assert acquisition.acquisition.nominal_magnification == 53_000


def test_an_mdoc_and_the_header_of_its_stack_speak_of_the_same_exposures(tmp_path: Path) -> None:
    file = serialem(tmp_path / "ts.st")
    own = "[ZValue = {}]\nTiltAngle = {}\nExposureTime = 0.5\n"
    sections = "".join(own.format(number, angle) for number, angle in enumerate(ANGLES))
    head = "PixelSpacing = 2.5\nImageFile = ts.st\nImageSize = 5 4\n"
    (tmp_path / "ts.st.mdoc").write_text(head + sections)
    (acquisition,) = gather([file]).acquisitions
    assert [each.name for each in acquisition.exposures] == ["ts[0]", "ts[1]", "ts[2]"]
    assert {each.exposure_time for each in acquisition.exposures} == {0.5}
    assert acquisition.contradictions == ()


@pytest.mark.parametrize("tilted", [True, False])
def test_a_tilt_series_of_the_microscope_is_told_from_a_movie(tmp_path: Path, tilted: bool) -> None:
    block = np.zeros(3, get_ext_header_dtype(b"FEI1", "<"))
    block["Alpha tilt"], block["HT"], block["Tilt axis angle"] = [a * tilted for a in ANGLES], 300_000, 85.5
    block["Bitmask 1"] = sum(1 << bit for bit in (5, 7, 12))
    file = tmp_path / "ts.mrc"
    write_mrc(file, np.zeros((3, 4, 5), np.int16), 2.5)
    with mrcfile.open(file, mode="r+") as other:
        other.set_extended_header(block)
        other.header.exttyp = b"FEI1"
    assert len(read_sections(file)) == 3
    found = read_metadata(file)
    if not tilted:
        assert (found.kind, list(found.exposures)) == ("MRC movie", ["ts"])
        return
    assert (found.kind, found.stack) == ("MRC tilt series", "ts")
    readings = [each for of in found.exposures.values() for each in of]
    assert [each.value for each in readings if each.term == "exposure.tilt_angle"] == ANGLES


def test_what_is_cut_off_within_the_extended_header(tmp_path: Path) -> None:
    file = serialem(tmp_path / "ts.st")
    file.write_bytes(file.read_bytes()[:1040])
    assert len(read_sections(file)) == 1
    with pytest.raises(FormatError):
        read_info(file)
