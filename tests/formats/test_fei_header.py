import math
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from mrcfile.dtypes import get_ext_header_dtype

from eucentric.formats import open_frames, read_info, write_mrc
from eucentric.formats.fei_header import block_size, read_fei_block


@pytest.mark.parametrize("kind", [b"FEI1", b"FEI2"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_switched_on_is_read_in_our_units(kind: bytes, order: str) -> None:
    block = np.zeros((), get_ext_header_dtype(kind, order))
    block["HT"], block["Dose"], block["Alpha tilt"] = 200_000, 3e21, math.nan
    block["Pixel size X"], block["Applied defocus"], block["Camera name"] = 1.5e-10, -1e-6, b"BM-Falcon"
    block["Magnification"], block["Timestamp"] = 105_000, 43831.5
    block["Integration time"], block["Start frame"], block["End frame"] = 2.5, 1, 40
    # Bit numbers as the specification lists them; the magnification's (31) stays off.
    for mask, bits in (("Bitmask 1", (0, 5, 6, 7, 14, 24)), ("Bitmask 2", (16, 19)), ("Bitmask 3", (29, 30))):
        block[mask] = sum(1 << bit for bit in bits)
    assert block_size(kind) == len(block.tobytes()) == (768 if kind == b"FEI1" else 888)
    found = read_fei_block(block.tobytes(), kind, order)
    assert found.pop("recorded").isoformat() == "2020-01-01T12:00:00"
    assert found.pop("camera") == "BM-Falcon"
    assert found == pytest.approx(
        {"voltage": 200, "dose": 30, "pixel_size": 1.5, "target_defocus": 10_000, "exposure_time": 2.5,
         "first_frame": 1, "last_frame": 40}
    )  # fmt: skip


def test_the_extended_header_tells_the_pixel_size_where_the_header_does_not(tmp_path: Path) -> None:
    block = np.zeros(3, get_ext_header_dtype(b"FEI1", "<"))
    block["Pixel size X"], block["Bitmask 1"] = 0.83e-10, 1 << 14
    path = tmp_path / "movie.mrc"
    write_mrc(path, np.arange(60, dtype=np.int16).reshape(3, 4, 5), None)
    with mrcfile.open(path, mode="r+") as other:
        other.set_extended_header(block)
        other.header.exttyp = b"FEI1"
    info = read_info(path)
    assert info.extended == {"pixel_size": pytest.approx(0.83)}
    assert info.pixel_size == pytest.approx(0.83)
    with open_frames(path) as reader:  # the pixels begin behind the extended header
        np.testing.assert_array_equal(reader.read(0, 3).ravel(), np.arange(60))
