import struct
from collections.abc import Iterator
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from eucentric.formats import FormatError, open_frames, read_image, read_info, write_mrc

DTYPES = ["i1", "i2", "u2", "f2", "f4"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_is_read_back(tmp_path: Path, frames: NDArray[np.uint8], dtype: str) -> None:
    stack = (frames.astype("f4") - 60).astype(dtype)
    write_mrc(tmp_path / "s.mrcs", stack, 0.83)
    info = read_info(tmp_path / "s.mrcs")
    assert (info.format, info.frames, info.height, info.width) == ("MRC", 5, 40, 56)
    assert info.dtype == dtype
    assert info.pixel_size == pytest.approx(0.83)
    assert not info.volume
    with open_frames(tmp_path / "s.mrcs", threads=2) as reader:
        np.testing.assert_array_equal(reader.read(0, 5), stack)
        np.testing.assert_array_equal(reader.read(2, 4), stack[2:4])
        np.testing.assert_array_equal(list(reader), stack)


@pytest.mark.parametrize("dtype", [*DTYPES, "u1", "c8"])
def test_another_library_finds_nothing_wrong(tmp_path: Path, frames: NDArray[np.uint8], dtype: str) -> None:
    stack = (frames / 100 if dtype == "f2" else frames).astype(dtype)  # the library adds f2 up in f2
    write_mrc(tmp_path / "s.mrcs", iter(stack), 1.5)
    assert mrcfile.validate(tmp_path / "s.mrcs")
    with mrcfile.open(tmp_path / "s.mrcs") as other:
        np.testing.assert_array_equal(other.data, stack)
        assert other.is_image_stack()
        assert other.voxel_size.x == other.voxel_size.y == pytest.approx(1.5)


def test_a_volume_is_marked_as_such(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    write_mrc(tmp_path / "v.mrc", frames.astype("f4"), 2.0, volume=True)
    assert mrcfile.validate(tmp_path / "v.mrc")
    with mrcfile.open(tmp_path / "v.mrc") as other:
        assert other.is_volume()
        assert other.voxel_size.z == pytest.approx(2.0)
    assert read_info(tmp_path / "v.mrc").volume


def test_statistics_of_a_stream_are_those_of_the_whole(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    values = frames.astype("f4") * np.arange(1, 6, dtype="f4")[:, None, None]
    write_mrc(tmp_path / "s.mrcs", iter(values), None)
    with mrcfile.open(tmp_path / "s.mrcs") as other:
        header = other.header
        found = [header.dmin, header.dmax, header.dmean, header.rms]
    np.testing.assert_allclose(found, [values.min(), values.max(), values.mean(), values.std()], rtol=1e-6)
    assert read_info(tmp_path / "s.mrcs").pixel_size is None


def test_statistics_of_pixels_that_are_no_numbers_are_unknown(tmp_path: Path) -> None:
    values = np.array([[[1.0, np.inf], [np.nan, 2.0]]], "f4")
    write_mrc(tmp_path / "s.mrc", values, 1.0)
    with mrcfile.open(tmp_path / "s.mrc") as other:
        np.testing.assert_array_equal(other.data, values[0])
        found = [other.header.dmin, other.header.dmax, other.header.dmean, other.header.rms]
    assert found == [0, -1, -2, -1]


def test_other_byte_order_reads_the_same(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    with mrcfile.new(tmp_path / "b.mrcs") as other:
        other.set_data(frames.astype(">f4"))
        other.set_image_stack()
        other.voxel_size = 1.25
        assert other.header.mode.dtype.byteorder == ">"
    info = read_info(tmp_path / "b.mrcs")
    assert info.pixel_size == pytest.approx(1.25)
    assert info.dtype.isnative
    with open_frames(tmp_path / "b.mrcs") as reader:
        np.testing.assert_array_equal(reader.read(0, 5), frames)


def test_bytes_are_signed_unless_imod_says_otherwise(tmp_path: Path) -> None:
    counts = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = tmp_path / "bytes.mrc"
    write_mrc(path, counts.view(np.int8), 1.0)
    assert read_image(path).dtype == np.int8
    for flags, expected in ((0, counts), (1, counts.view(np.int8))):
        _set(path, 152, struct.pack("<ii", 1146047817, flags))
        found = read_image(path)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("width", [8, 7])
def test_four_bit_pixels(tmp_path: Path, width: int) -> None:
    counts = np.random.default_rng(0).integers(0, 16, (6, width), dtype=np.uint8)
    padded = np.pad(counts, ((0, 0), (0, width % 2)))
    packed = padded[:, 0::2] | padded[:, 1::2] << 4
    path = tmp_path / "packed.mrc"
    write_mrc(path, packed.view(np.int8), 1.0)
    _set(path, 0, struct.pack("<i", width))
    _set(path, 12, struct.pack("<i", 101))
    np.testing.assert_array_equal(read_image(path), counts)


def test_four_bit_pixels_by_the_flag_of_imod(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(0, 16, (6, 8), dtype=np.uint8)
    path = tmp_path / "packed.mrc"
    write_mrc(path, (counts[:, 0::2] | counts[:, 1::2] << 4).view(np.int8), 2.0)
    _set(path, 44, struct.pack("<f", 6 * 1.0))  # the height is not halved
    _set(path, 152, struct.pack("<ii", 1146047817, 16))
    np.testing.assert_array_equal(read_image(path), counts)
    assert read_info(path).pixel_size == pytest.approx(1.0)  # four bytes of 2 Å are eight pixels of 1 Å


def test_extended_header_of_epu(shared: Path) -> None:
    info = read_info(shared / "data" / "epu2.9_example.mrc")
    assert info.pixel_size == pytest.approx(0.66655, abs=1e-5)
    said = info.extended
    assert said["voltage"] == 300.0
    assert said["application"] == "EPU"
    assert said["target_defocus"] == pytest.approx(22_000)  # -2.2 µm of underfocus
    assert said["dose"] == pytest.approx(41.17, abs=0.01)
    assert said["pixel_size"] == pytest.approx(info.pixel_size, abs=1e-5)
    assert said["recorded"].isoformat(timespec="seconds") == "2020-11-03T17:36:04"
    assert said["exposure_time"] == pytest.approx(12.2, abs=0.01)
    assert "first_frame" not in said  # its bit is off: the zeros there mean nothing


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, struct.pack("<i", -56), "-56 pixels"),
        (0, struct.pack("<i", 2**30), "1073741824 pixels"),
        (8, struct.pack("<i", 10**9), "1000000000 frames"),
        (8, struct.pack("<i", 7), "5 of 7 frames are whole"),
        (8, struct.pack("<i", 4), "bytes more than its header"),
        (12, struct.pack("<i", 5), "mode 5"),
        (12, struct.pack("<i", 4), "complex"),
        (12, struct.pack("<i", 2), "2 of 5 frames are whole"),
        (64, struct.pack("<iii", 3, 1, 2), "axes"),
        (92, struct.pack("<i", 10**9), "extended header"),
        (92, struct.pack("<i", -4), "extended header"),
        (208, b"PAM ", "MAP"),
    ],
)
def test_a_lying_header_is_refused(
    tmp_path: Path, frames: NDArray[np.uint8], offset: int, value: bytes, message: str
) -> None:
    path = tmp_path / "s.mrcs"
    write_mrc(path, frames.astype(np.int16), 1.0)
    _set(path, offset, value)
    for read in (read_info, open_frames):
        with pytest.raises(FormatError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("length", [0, 3, 1000, 1024, 5000])
def test_a_cut_file_is_refused(tmp_path: Path, frames: NDArray[np.uint8], length: int) -> None:
    path = tmp_path / "s.mrcs"
    write_mrc(path, frames.astype("f4"), 1.0)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FormatError):
        read_info(path)


@pytest.mark.parametrize("cell", [float("nan"), float("inf"), -3.0, 0.0, 1e30])
def test_a_nonsense_pixel_size_is_none(tmp_path: Path, frames: NDArray[np.uint8], cell: float) -> None:
    path = tmp_path / "i.mrc"
    write_mrc(path, frames[0].astype("f4"), 1.0)
    _set(path, 40, struct.pack("<ff", cell, cell))
    assert read_info(path).pixel_size is None
    _set(path, 40, struct.pack("<ff", 56 * 1.0, 40 * 1.1))  # pixels that are no squares
    assert read_info(path).pixel_size is None


def test_a_file_cut_short_while_it_is_read(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    path = tmp_path / "s.mrcs"
    write_mrc(path, frames.astype("f4"), 1.0)
    with open_frames(path) as reader:
        path.write_bytes(path.read_bytes()[: 1024 + 3 * 40 * 56 * 4])
        with pytest.raises(FormatError, match="frame 4 of 5"):
            reader.read(0, 5)


def test_nothing_half_written_is_seen(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    def failing() -> Iterator[NDArray[np.uint8]]:
        yield frames[0]
        raise RuntimeError("the camera stopped")

    with pytest.raises(RuntimeError, match="camera"):
        write_mrc(tmp_path / "s.mrcs", failing(), 1.0)
    assert list(tmp_path.iterdir()) == []


def test_frames_that_differ_are_refused(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="frames differ"):
        write_mrc(tmp_path / "s.mrcs", [frames[0], frames[1, :-1]], 1.0)
    with pytest.raises(ValueError, match="no frames"):
        write_mrc(tmp_path / "s.mrcs", [], 1.0)
    with pytest.raises(ValueError, match="pixel size"):
        write_mrc(tmp_path / "s.mrcs", frames, float("nan"))
    with pytest.raises(ValueError, match="float64"):
        write_mrc(tmp_path / "s.mrcs", frames.astype("f8"), 1.0)


def test_a_single_image_is_asked_for(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    write_mrc(tmp_path / "s.mrcs", frames, 1.0)
    with pytest.raises(FormatError, match="5 images"):
        read_image(tmp_path / "s.mrcs")


def _set(path: Path, offset: int, value: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(value)] = value
    path.write_bytes(raw)
