"""Images of DigitalMicrograph: the real files, a file made by hand, and damage."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eucentric.formats import FormatError, open_frames, read_image, read_info

READ = {
    "102_rosettasciio__test-1.dm3": (1, 2, 2, "i2", None),
    "103_rosettasciio__test-1.dm4": (1, 2, 2, "i2", None),
    "105_rosettasciio__test-1.dm3": (2, 2, 2, "i2", None),
    "openNCEM__dmTest_3D_int16_64,65,66.dm4": (66, 65, 64, "i2", None),  # other sizes along x and y
    "rosettasciio__test-10.dm4": (1, 2, 2, "u2", None),
    "rosettasciio__test_dm_image_um_unit.dm3": (1, 68, 68, "i4", 1686.7469),
    "rosettasciio__test_stackbuilder_imagestack.dm3": (3, 2, 16, "u4", 599.829),
}
REFUSED = {
    "rosettasciio__EELS_SI.dm4": "holds spectra",
    "rosettasciio__multi_signal.dm3": "2 images or plots",
    "rosettasciio__test-1.dm3": "1 dimensions",
    "rosettasciio__test-1.dm4": "1 dimensions",
}


@pytest.mark.parametrize("name", READ)
def test_a_real_file_is_read(shared: Path, name: str) -> None:
    with open_frames(shared / "fixtures" / name) as reader:
        found = reader.read(0, len(reader))
    *shape, dtype, pixel_size = READ[name]
    assert reader.info.format == "DM"
    assert found.shape == tuple(shape)
    assert found.dtype == np.dtype(str(dtype))
    assert reader.info.pixel_size == (pixel_size and pytest.approx(pixel_size, rel=1e-6))
    if found.shape == (1, 2, 2):
        np.testing.assert_array_equal(found[0, ::-1], [[1, 2], [3, 4]])  # as one looks at it


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_file_is_refused(shared: Path, name: str) -> None:
    with pytest.raises(FormatError, match=REFUSED[name]):
        read_info(shared / "fixtures" / name)


def test_the_lists_are_complete(shared: Path) -> None:
    there = {path.name for path in (shared / "fixtures").iterdir() if path.suffix in (".dm3", ".dm4")}
    assert there == {*READ, *REFUSED}


class _Writer:
    """A writer of DM3 (version 3) or DM4 trees from dictionaries of numbers, texts and arrays."""

    def __init__(self, version: int, order: str) -> None:
        self.version, self.order = version, order

    def file(self, tree: dict[str, Any]) -> bytes:
        body: bytes = self._group(tree)
        count = self._count(len(body))
        return (
            struct.pack(">I", self.version) + count + struct.pack(">I", self.order == "<") + body + bytes(8)
        )

    def _count(self, value: int) -> bytes:
        return struct.pack(">Q" if self.version == 4 else ">I", value)

    def _group(self, tree: dict[str, Any]) -> bytes:
        return b"\1\0" + self._count(len(tree)) + b"".join(self._tag(*item) for item in tree.items())

    def _tag(self, name: str, value: Any) -> bytes:
        group = isinstance(value, dict)
        data = self._group(value) if group else b"%%%%" + self._value(value)
        name = "" if name.isdigit() else name
        head = struct.pack(">BH", 20 if group else 21, len(name)) + name.encode()
        return head + (self._count(len(data)) if self.version == 4 else b"") + data

    def _value(self, value: Any) -> bytes:
        if isinstance(value, float):
            return self._described(6) + struct.pack(self.order + "f", value)
        if isinstance(value, int):
            return self._described(3) + struct.pack(self.order + "i", value)
        if isinstance(value, str):
            value = np.array([ord(letter) for letter in value], "u2")
        kind = {"i2": 2, "u2": 4, "f4": 6, "u1": 10, "i4": 3, "f8": 7}[value.dtype.str[1:]]
        stored: bytes = value.astype(value.dtype.newbyteorder(self.order)).tobytes()
        return self._described(20, kind, value.size) + stored

    def _described(self, *numbers: int) -> bytes:
        return self._count(len(numbers)) + b"".join(map(self._count, numbers))


def _tree(picture: NDArray[Any], kind: int) -> dict[str, Any]:
    """Return the tags of a file with a thumbnail and a picture whose first row is the top."""
    axis = {"Origin": 0.0, "Scale": 0.25, "Units": "nm"}
    image = {
        "Calibrations": {"Dimension": {"0": axis, "1": axis}},
        "Data": picture.ravel(),
        "DataType": kind,
        "Dimensions": {"0": picture.shape[1], "1": picture.shape[0]},
        "PixelDepth": picture.itemsize,
    }
    thumbnail = {"Data": np.zeros(4, "u1"), "DataType": 6, "Dimensions": {"0": 2, "1": 2}}
    return {
        "ImageList": {"0": {"ImageData": thumbnail}, "1": {"ImageData": image, "Name": "gain"}},
        "Thumbnails": {"0": {"ImageIndex": 0}},
    }


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("dtype", "kind"), [("f4", 2), ("i2", 1), ("u2", 10), ("u1", 6), ("i4", 7), ("f8", 12)]
)
def test_pixels_of_every_type_come_the_right_way_up(
    tmp_path: Path, version: int, order: str, dtype: str, kind: int
) -> None:
    picture = np.random.default_rng(1).uniform(0, 100, (30, 50)).astype(dtype)
    (tmp_path / "g.dm4").write_bytes(_Writer(version, order).file(_tree(picture, kind)))
    np.testing.assert_array_equal(read_image(tmp_path / "g.dm4")[::-1], picture)
    assert read_info(tmp_path / "g.dm4").pixel_size == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda image: image.update(DataType=3), "type 3, which is not read"),
        (lambda image: image["Dimensions"].update({"1": 31}), "30 bytes|bytes"),
        (lambda image: image["Dimensions"].update({"1": 2**30}), "frames of"),
        (lambda image: image["Dimensions"].clear(), "0 dimensions"),
    ],
)
def test_an_image_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    tree = _tree(np.zeros((30, 50), "f4"), 2)
    change(tree["ImageList"]["1"]["ImageData"])
    (tmp_path / "g.dm4").write_bytes(_Writer(4, "<").file(tree))
    with pytest.raises(FormatError, match=reason):
        read_info(tmp_path / "g.dm4")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    harm=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=5),
    cut=st.one_of(st.none(), st.floats(0, 1, exclude_max=True)),
)
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, harm: list[tuple[float, int]], cut: float | None
) -> None:
    raw = bytearray(_Writer(4, "<").file(_tree(np.zeros((4, 5), "u1"), 6)))
    for place, mask in harm:
        raw[16 + int(place * (len(raw) - 16))] ^= mask
    (tmp_path / "g.dm4").write_bytes(raw if cut is None else raw[: int(cut * len(raw))])
    try:
        with open_frames(tmp_path / "g.dm4") as reader:
            for frame in reader:
                assert frame.shape == (reader.info.height, reader.info.width)
    except FormatError:
        pass
