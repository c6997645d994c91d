"""LZW against imagecodecs, on streams whole and damaged, and in files of other programs."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from eucentric.formats import FormatError, open_frames, tiff, write_tiff
from eucentric.formats.lzw import LZWDecoder

MOST = 200_000
DECODER = LZWDecoder(MOST)
RUNS = st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.integers(1, 400)), min_size=1, max_size=40)


@pytest.mark.parametrize("mean", [0.01, 0.7, 4.0, 200.0])
@pytest.mark.parametrize("length", [1, 8, 9, 5_000, MOST])
def test_counts_of_electrons(mean: float, length: int) -> None:
    counts = np.random.default_rng(1).poisson(mean, length).clip(0, 255).astype(np.uint8)
    decoded = DECODER.decode(imagecodecs.lzw_encode(counts.tobytes()), length)
    assert decoded is not None
    np.testing.assert_array_equal(decoded, counts)


@given(RUNS)
def test_strings_that_repeat_and_reach_into_themselves(runs: list[tuple[bytes, int]]) -> None:
    raw = b"".join(part * times for part, times in runs)[:MOST]
    decoded = DECODER.decode(imagecodecs.lzw_encode(raw), len(raw))
    assert decoded is not None
    assert decoded.tobytes() == raw


@settings(max_examples=300)
@given(RUNS, st.integers(0, 2**32), st.integers(0, 7), st.booleans())
def test_damage_is_noticed_where_the_library_notices_it(
    runs: list[tuple[bytes, int]], place: int, bit: int, cut: bool
) -> None:
    raw = b"".join(part * times for part, times in runs)[:MOST]
    stream = bytearray(imagecodecs.lzw_encode(raw))
    stream[place % len(stream)] ^= 1 << bit
    damaged = bytes(stream[: place % len(stream)] if cut else stream)
    decoded = DECODER.decode(damaged, len(raw))
    if decoded is not None:
        assert imagecodecs.lzw_decode(damaged) == decoded.tobytes()


def test_a_stream_of_another_length_or_of_the_old_kind_is_told() -> None:
    stream = imagecodecs.lzw_encode(bytes(range(100)))
    assert DECODER.decode(stream, 99) is None
    assert DECODER.decode(stream, 101) is None
    assert DECODER.decode(b"", 1) is None
    # Before TIFF 6.0 the least significant bit came first; such a stream begins like this.
    assert DECODER.decode(bytes([0, 1]) + stream, 100) is None


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rows", [1, 7, 50])
def test_files_of_other_programs(tmp_path: Path, dtype: str, order: str, rows: int) -> None:
    movie = np.random.default_rng(2).poisson(300, (3, 50, 61)).astype(dtype)
    with tifffile.TiffWriter(tmp_path / "m.tif", byteorder=order) as writer:
        for frame in movie:
            writer.write(frame, photometric="minisblack", compression="lzw", rowsperstrip=rows, metadata=None)
    with open_frames(tmp_path / "m.tif", threads=2) as reader:
        np.testing.assert_array_equal(reader.read(0, 3), movie[:, ::-1])


@pytest.mark.parametrize(
    ("dtype", "predictor"), [("u1", 1), ("u1", 2), ("u2", 1), ("u2", 2), ("f4", 1), ("f4", 3)]
)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_predictors_and_tiles(
    tmp_path: Path, predictor: int, order: str, tile: tuple[int, int] | None, dtype: str
) -> None:
    image = np.random.default_rng(4).poisson(200, (50, 61)).clip(0, 255).astype(dtype)
    with tifffile.TiffWriter(tmp_path / "m.tif", byteorder=order) as writer:
        options = {"predictor": predictor, "tile": tile, "rowsperstrip": None if tile else 7}
        writer.write(image, photometric="minisblack", compression="lzw", metadata=None, **options)
    with open_frames(tmp_path / "m.tif") as reader:
        np.testing.assert_array_equal(reader.read(0, 1)[0], image[::-1])


def test_bits_in_the_other_order_and_strips_that_are_filled_up(tmp_path: Path) -> None:
    image = np.random.default_rng(5).poisson(3, (10, 12)).astype(np.uint8)
    strips = [image[:7], np.vstack([image[7:], np.zeros((4, 12), np.uint8)])]
    streams = [imagecodecs.lzw_encode(strip.tobytes()) for strip in strips]
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(image, photometric="minisblack", compression="lzw", rowsperstrip=7, metadata=None)
    with tifffile.TiffFile(path) as file:
        tags = {name: file.pages[0].tags[name].valueoffset for name in ("StripOffsets", "StripByteCounts")}
    raw = bytearray(path.read_bytes())
    for number, stream in enumerate(streams):
        for name, value in (("StripOffsets", len(raw)), ("StripByteCounts", len(stream))):
            at, size = tags[name], 4 if name == "StripOffsets" else 2
            raw[at + size * number : at + size * (number + 1)] = value.to_bytes(size, "little")
        raw += stream
    path.write_bytes(raw)
    with open_frames(path) as reader:
        np.testing.assert_array_equal(reader.read(0, 1)[0], image[::-1])


@pytest.mark.parametrize("tail", ["0d000001040001000000070000000101", "ffffffffffffffffffffffff", ""])
def test_damaged_streams_are_refused(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "m.tif"
    write_tiff(path, np.zeros((1, 5, 7), np.uint8))
    with tifffile.TiffFile(path) as file:
        (offset,), (count,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
        tag = file.pages[0].tags["StripByteCounts"]
    raw = bytearray(path.read_bytes())
    raw[offset : offset + count] = bytes.fromhex("8047205038241607" + tail).ljust(count, b"\x55")[:count]
    path.write_bytes(raw)
    assert tag.value == (count,)
    with open_frames(path) as reader, pytest.raises(FormatError, match="LZW codes are damaged"):
        reader.read(0, 1)


def test_usual_movies_need_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    movie = np.random.default_rng(3).poisson(0.7, (2, 300, 200)).astype(np.uint8)
    write_tiff(tmp_path / "m.tif", movie)
    monkeypatch.delattr(tiff, "_place")
    with open_frames(tmp_path / "m.tif") as reader:
        np.testing.assert_array_equal(reader.read(0, 2), movie)
