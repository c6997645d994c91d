import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from eucentric.formats import FormatError, open_frames, read_image, read_info, write_tiff

COMPRESSIONS: list[Any] = ["none", "lzw", "deflate", "zstd"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4"])
def test_what_is_written_is_read_back(
    tmp_path: Path, frames: NDArray[np.uint8], dtype: str, compression: Any
) -> None:
    movie = frames.astype(dtype)
    path = tmp_path / "m.tif"
    write_tiff(path, movie, compression=compression, pixel_size=0.83)
    info = read_info(path)
    assert (info.format, info.frames, info.height, info.width) == ("TIFF", 5, 40, 56)
    assert info.dtype == dtype
    assert info.pixel_size == pytest.approx(0.83, rel=1e-6)
    with open_frames(path, threads=2) as reader:
        assert len(reader) == 5
        np.testing.assert_array_equal(list(reader), movie)
        np.testing.assert_array_equal(reader.read(1, 3), movie[1:3])
        with pytest.raises(IndexError):
            reader.read(3, 6)


def test_the_top_row_of_the_picture_is_stored_first(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    write_tiff(tmp_path / "m.tif", frames)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), frames[:, ::-1])


@pytest.mark.parametrize(
    "layout",
    [
        {"rowsperstrip": 7},
        {"tile": (16, 32)},
        {"tile": (16, 32), "compression": "lzw"},
        {"compression": "lzw", "predictor": True, "rowsperstrip": 9},
        {"compression": "packbits"},
        {"byteorder": ">"},
        {"bigtiff": True, "compression": "zstd"},
    ],
    ids=str,
)
def test_every_layout_of_other_programs(
    tmp_path: Path, frames: NDArray[np.uint8], layout: dict[str, Any]
) -> None:
    movie = frames.astype(np.uint16) * 7
    path = tmp_path / "m.tif"
    file_options = {key: layout.pop(key) for key in ("byteorder", "bigtiff") if key in layout}
    with tifffile.TiffWriter(path, **file_options) as writer:
        for frame in movie:
            writer.write(frame, photometric="minisblack", metadata=None, **layout)
    with open_frames(path) as reader:
        np.testing.assert_array_equal(reader.read(0, 5), movie[:, ::-1])
        assert reader.info.pixel_size is None  # tifffile writes a resolution of 1 without unit


def test_without_sample_format_tag(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    movie = frames.astype(np.uint16)
    path = tmp_path / "m.tif"
    write_tiff(path, movie)
    with tifffile.TiffFile(path) as tiff:  # unsigned numbers are the default, and were not marked
        assert 339 not in tiff.pages.first.tags
    with open_frames(path) as reader:
        np.testing.assert_array_equal(reader.read(0, 5), movie)


def test_an_iterator_becomes_a_big_tiff(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    write_tiff(tmp_path / "big.tif", iter(frames))
    write_tiff(tmp_path / "classic.tif", list(frames))
    for name, is_big in (("big.tif", True), ("classic.tif", False)):
        with tifffile.TiffFile(tmp_path / name) as tiff:
            assert tiff.is_bigtiff is is_big
        with open_frames(tmp_path / name) as reader:
            np.testing.assert_array_equal(reader.read(0, 5), frames)


def test_a_growing_movie_is_a_shorter_one_after_each_page(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    path = tmp_path / "m.tif"
    for count, frame in enumerate(frames, start=1):
        tifffile.imwrite(path, frame, append=count > 1, photometric="minisblack", metadata=None)
        assert read_info(path).frames == count


def test_the_damaged_frame_is_named(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    path = tmp_path / "m.tif"
    write_tiff(path, frames, compression="deflate")
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages[4].dataoffsets[0], tiff.pages[4].databytecounts[0]
    raw = bytearray(path.read_bytes())
    raw[offset + count // 2] ^= 0xFF
    path.write_bytes(raw)
    with open_frames(path, threads=2) as reader:
        np.testing.assert_array_equal(reader.read(0, 4), frames[:4])
        with pytest.raises(FormatError, match="frame 5 of 5"):
            list(reader)


@pytest.mark.parametrize("compression", ["none", "lzw"])
def test_a_cut_movie_is_refused_at_every_length(
    tmp_path: Path, frames: NDArray[np.uint8], compression: Any
) -> None:
    path = tmp_path / "m.tif"
    write_tiff(path, frames, compression=compression)
    raw = path.read_bytes()
    refusals = 0
    for length in range(0, len(raw) - 1, max(1, len(raw) // 80)):
        path.write_bytes(raw[:length])
        with pytest.raises(FormatError):
            read_info(path)
        refusals += 1
    assert refusals > 70


def test_a_circle_of_pages_is_refused(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    path = tmp_path / "m.tif"
    write_tiff(path, frames, compression="none")
    with tifffile.TiffFile(path) as tiff:
        offsets = [page.offset for page in tiff.pages]
        last = tiff.pages[-1]
        link = last.offset + 2 + 12 * struct.unpack("<H", path.read_bytes()[last.offset :][:2])[0]
    _set(path, link, struct.pack("<I", offsets[2]))
    with pytest.raises(FormatError, match="run in a circle"):
        read_info(path)


def _oversized(raw: bytearray) -> None:
    """Claim 120,000 × 120,000 pixels in every page: some 14 GB from a file of a few kilobytes."""
    for tag in (256, 257):
        position = raw.find(struct.pack("<H", tag) + struct.pack("<HI", 4, 1))
        raw[position + 8 : position + 12] = struct.pack("<I", 120_000)


def _huge_tag(raw: bytearray) -> None:
    """Claim four thousand million strip offsets."""
    position = raw.find(struct.pack("<H", 273))
    raw[position + 4 : position + 12] = struct.pack("<II", 2**32 - 1, 8)


@pytest.mark.parametrize(("harm", "message"), [(_oversized, "120000"), (_huge_tag, "points out of the file")])
def test_absurd_claims_are_refused(
    tmp_path: Path, frames: NDArray[np.uint8], harm: Callable[[bytearray], None], message: str
) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, frames[0], photometric="minisblack", metadata=None, rowsperstrip=5)
    raw = bytearray(path.read_bytes())
    harm(raw)
    path.write_bytes(raw)
    with pytest.raises(FormatError, match=message):
        read_info(path)


def test_what_is_not_a_movie_is_refused_with_its_reason(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    path = tmp_path / "x.tif"

    def refused(message: str) -> None:
        for read in (read_info, open_frames):
            with pytest.raises(FormatError, match=message):
                read(path)

    tifffile.imwrite(path, np.zeros((40, 56, 3), np.uint8), photometric="rgb")
    refused("colour")
    tifffile.imwrite(path, frames[0], photometric="minisblack", compression="jpeg")
    refused("JPEG")
    tifffile.imwrite(path, frames[0] > 50, photometric="minisblack")
    refused("1 bits")
    tifffile.imwrite(path, frames[0], photometric="minisblack", extratags=[(274, 3, 1, 4, True)])
    refused("orientation 4")
    tifffile.imwrite(path, np.zeros((8184, 5760), np.uint8), photometric="minisblack", compression="zstd")
    refused("4-bit")
    tifffile.imwrite(path, frames[0], photometric="minisblack")
    tifffile.imwrite(path, frames[0, :-1], photometric="minisblack", append=True)
    refused("frame 2 is")
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX"})
    assert read_info(path).frames == 5
    _set(path, path.read_bytes().find(b"images=5"), b"images=9")
    refused("9 images")


def test_a_page_that_only_claims_to_be_eer_is_refused(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    path = tmp_path / "m.eer"
    tifffile.imwrite(path, frames[0], photometric="minisblack", compression="lzw", bigtiff=True)
    raw = bytearray(path.read_bytes())
    position = raw.find(struct.pack("<HHQ", 259, 3, 1))
    raw[position + 12 : position + 14] = struct.pack("<H", 65001)
    path.write_bytes(raw)
    with open_frames(path) as reader, pytest.raises(FormatError, match="frame 1 of 1 is damaged"):
        reader.read(0, 1)


@pytest.mark.parametrize("dpi", [72, 300])
def test_the_resolution_of_an_office_program_is_no_pixel_size(
    tmp_path: Path, frames: NDArray[np.uint8], dpi: int
) -> None:
    tifffile.imwrite(tmp_path / "i.tif", frames[0], resolution=(dpi, dpi), resolutionunit="INCH")
    assert read_info(tmp_path / "i.tif").pixel_size is None


def test_nothing_half_written_is_seen(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    def failing() -> Iterator[NDArray[np.uint8]]:
        yield frames[0]
        raise RuntimeError("the camera stopped")

    with pytest.raises(RuntimeError, match="camera"):
        write_tiff(tmp_path / "m.tif", failing())
    for bad in ([], [frames[0], frames[0, 1:]], [frames[0] > 20]):
        with pytest.raises(ValueError, match="frames"):
            write_tiff(tmp_path / "m.tif", bad)
    with pytest.raises(ValueError, match="pixel size"):
        write_tiff(tmp_path / "m.tif", frames, pixel_size=float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_a_real_micrograph(shared: Path) -> None:
    path = shared / "data" / "KLH_crop.tif"
    image = read_image(path)
    assert image.shape == (844, 760)
    np.testing.assert_array_equal(image[::-1], tifffile.imread(path))


def _set(path: Path, offset: int, value: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(value)] = value
    path.write_bytes(raw)


@pytest.mark.parametrize("tags", [0, 2**20, 2**62])
def test_an_absurd_number_of_tags_is_refused(tmp_path: Path, tags: int) -> None:
    path = tmp_path / "m.tif"
    path.write_bytes(struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, tags) + bytes(1000))
    with pytest.raises(FormatError, match=f"frame 1 claims {tags} tags"):
        read_info(path)
