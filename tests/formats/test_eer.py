"""EER movies against a slow decoder written from the description, other libraries, RELION, and damage."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eucentric.formats import EERRendering, FormatError, open_frames, read_info, write_eer, write_mrc
from eucentric.formats.eer_codes import EERCodes, add_electrons, encode_electrons

Compression = Literal[65000, 65001, 65002]
COMPRESSIONS: tuple[Compression, ...] = (65000, 65001, 65002)
SHAPE = (48, 80)

Relion = Callable[..., None]


def _movie(rng: np.random.Generator, frames: int, most: int = 300) -> list[NDArray[np.float64]]:
    height, width = SHAPE
    high = (width - 0.5, height - 0.5)
    return [rng.uniform(-0.5, high, (rng.integers(0, most), 2)) for _ in range(frames)]


def _counted(frames: list[NDArray[np.float64]], shape: tuple[int, int], finer: int) -> NDArray[np.int64]:
    """Count electrons in pixels `finer` times as fine, one at most for each camera pixel and frame."""
    image = np.zeros((shape[0] * finer, shape[1] * finer), np.int64)
    for frame in frames:
        seen = set()
        for x, y in frame:
            pixel = (int(np.floor(x + 0.5)), int(np.floor(y + 0.5)))
            if pixel not in seen:
                seen.add(pixel)
                image[int((y + 0.5) * finer), int((x + 0.5) * finer)] += 1
    return image


def _bits(data: bytes) -> Iterator[int]:
    for byte in data:
        for place in range(8):
            yield byte >> place & 1


def _decoded(data: bytes, shape: tuple[int, int], codes: EERCodes) -> list[tuple[int, int, int, int]]:
    """Return row, column and place in y and x of all electrons, bit by bit as the description says."""
    bits = _bits(data)

    def number(length: int) -> int:
        return sum(next(bits) << place for place in range(length))

    electrons, pixel, total = [], 0, shape[0] * shape[1]
    while True:
        run = number(codes.run_bits)
        pixel += run
        if pixel == total:
            return electrons
        assert pixel < total
        if run == 2**codes.run_bits - 1:
            if codes.padded:
                number(codes.x_bits + codes.y_bits)
            continue
        x = number(codes.x_bits) ^ 2 ** (codes.x_bits - 1)
        y = number(codes.y_bits) ^ 2 ** (codes.y_bits - 1)
        electrons.append((*divmod(pixel, shape[1]), y, x))
        pixel += 1


@pytest.mark.parametrize("upsampling", [1, 2])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_electron_comes_back(tmp_path: Path, compression: Compression, upsampling: Any) -> None:
    movie = _movie(np.random.default_rng(1), 11)
    movie[4] = np.empty((0, 2))
    path = tmp_path / "m.eer"
    write_eer(path, movie, shape=SHAPE, compression=compression)
    with open_frames(path, eer=EERRendering(upsampling, 3)) as reader:
        assert (reader.info.frames, reader.info.dtype) == (3, np.uint8)
        found = reader.read(0, 3)
    for fraction, (start, stop) in zip(found, [(0, 4), (4, 7), (7, 11)], strict=True):
        np.testing.assert_array_equal(fraction, _counted(movie[start:stop], SHAPE, upsampling))


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 127)), max_size=80),
    shape=st.sampled_from([(32, 64), (17, 33), (1, 127), (1, 255), (2, 254)]),
    codes=st.sampled_from(
        [EERCodes(7), EERCodes(8), EERCodes(8, 2, 2, padded=True), EERCodes(5, 1, 3), EERCodes(2, 4, 1)]
    ),
)
def test_codes_are_those_of_the_description(
    places: list[tuple[int, int]], shape: tuple[int, int], codes: EERCodes
) -> None:
    positions = np.array(places, float).reshape(-1, 2) / 2 - 0.25
    data, count = encode_electrons(positions, shape, codes)
    electrons = _decoded(data, shape, codes)
    assert len(electrons) == count
    expected = _counted([positions[(positions < (shape[1] - 0.5, shape[0] - 0.5)).all(1)]], shape, 2)
    fine = np.zeros_like(expected)
    for row, column, y, x in electrons:
        fine[row * 2 + y * 2 // 2**codes.y_bits, column * 2 + x * 2 // 2**codes.x_bits] += 1
    found = np.zeros(fine.shape, np.uint8)
    assert add_electrons([data + bytes(16)], found, codes, 2) == [count]
    np.testing.assert_array_equal(found, fine)
    np.testing.assert_array_equal(fine, expected)


@pytest.mark.parametrize("run_bits", [7, 8])
def test_imagecodecs_sees_the_same_electrons(run_bits: int) -> None:
    positions = _movie(np.random.default_rng(2), 1, 900)[0]
    codes = EERCodes(run_bits)
    data, _ = encode_electrons(positions, SHAPE, codes)
    for upsampling in (1, 2):
        shape = (SHAPE[0] * upsampling, SHAPE[1] * upsampling)
        ours, theirs = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        add_electrons([data + bytes(16)], ours, codes, upsampling)
        imagecodecs.eer_decode(data, shape, run_bits, 2, 2, superres=upsampling - 1, out=theirs)
        np.testing.assert_array_equal(ours, theirs)


def test_tifffile_reads_what_is_written(tmp_path: Path) -> None:
    movie = _movie(np.random.default_rng(3), 5)
    write_eer(tmp_path / "m.eer", movie, shape=SHAPE, exposure_time=2.0)
    with tifffile.TiffFile(tmp_path / "m.eer") as tiff:
        assert tiff.is_eer
        assert tiff.eer_metadata is not None
        assert tiff.eer_metadata["exposureTime"] == 2
        np.testing.assert_array_equal(tiff.asarray().sum(0), _counted(movie, SHAPE, 1))


@pytest.mark.parametrize("compression", [65000, 65001])
def test_relion_sees_the_same_electrons(tmp_path: Path, relion: Relion, compression: Compression) -> None:
    rng = np.random.default_rng(4)
    # Dense in one corner, empty elsewhere: no mirror image is the same, and there are long empty runs.
    movie = [rng.uniform(-0.5, (900, 300), (4000, 2)) for _ in range(4)]
    write_eer(tmp_path / "m.eer", movie, compression=compression)
    for upsampling in (1, 2):
        relion(
            *("relion_convert_to_tiff", "--i", "m.eer", "--o", f"up{upsampling}/"),
            *("--eer_grouping", "2", "--eer_upsampling", str(upsampling)),
        )
        rendering = EERRendering(upsampling, 2)  # type: ignore[arg-type]
        with (
            open_frames(tmp_path / "m.eer", eer=rendering) as ours,
            open_frames(tmp_path / f"up{upsampling}" / "m.tif") as theirs,
        ):
            np.testing.assert_array_equal(ours.read(0, 2), theirs.read(0, 2))


def test_what_the_file_says(tmp_path: Path) -> None:
    when = datetime(2024, 9, 1, 6, 1, 8)
    write_eer(
        tmp_path / "m.eer",
        _movie(np.random.default_rng(5), 9),
        shape=SHAPE,
        pixel_size=0.5,
        exposure_time=3.0,
        electrons_per_pixel=10.0,
        stated_frames=12,
        recorded=when,
    )
    info = read_info(tmp_path / "m.eer")
    assert (info.format, info.frames, info.height, info.width) == ("EER", 9, *SHAPE)
    assert info.pixel_size == pytest.approx(0.5)
    texts = {"camera": "EF-Falcon", "detector": "Falcon 4i", "recorded": when, "stated_frames": 12}
    numbers = {"exposure_time": 3.0, "dose_rate": 10 / 3, "electrons_per_pixel": 10.0, "dose": 40.0}
    assert {key: info.extended[key] for key in texts} == texts
    assert {key: info.extended[key] for key in numbers} == pytest.approx(numbers)
    assert set(info.extended) == {*texts, *numbers}
    with open_frames(tmp_path / "m.eer", eer=EERRendering(2, 3)) as reader:
        assert reader.info.pixel_size == pytest.approx(0.25)
    with open_frames(tmp_path / "m.eer") as reader:
        assert len(reader) == 9  # fewer than the usual number of fractions


@given(frames=st.integers(1, 3000), fractions=st.integers(1, 3000))
def test_fractions_leave_nothing_out(frames: int, fractions: int) -> None:
    fractions = min(frames, fractions)
    sizes = np.diff(EERRendering(fractions=fractions).boundaries(frames))
    assert sizes.sum() == frames
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


def test_a_pixel_hit_in_300_frames_does_not_overflow(tmp_path: Path) -> None:
    write_eer(tmp_path / "m.eer", [np.array([[3.0, 2.0]])] * 600, shape=(8, 8))
    with open_frames(tmp_path / "m.eer", eer=EERRendering(1, 2)) as reader:
        assert reader.info.dtype == np.uint16
        assert [frame[2, 3] for frame in reader] == [300, 300]


def test_the_sum_before_the_frames_is_left_out(tmp_path: Path) -> None:
    """A programme of the same maker writes the movie's sum as the first page."""
    movie = _movie(np.random.default_rng(6), 3)
    write_eer(tmp_path / "m.eer", movie, shape=SHAPE)
    with tifffile.TiffFile(tmp_path / "m.eer") as tiff:
        data = [
            tiff.filehandle.read_array(np.uint8, p.databytecounts[0], p.dataoffsets[0]) for p in tiff.pages
        ]
    raw = bytearray((tmp_path / "m.eer").read_bytes())
    with tifffile.TiffWriter(tmp_path / "sum.tif", bigtiff=True, byteorder="<") as writer:
        writer.write(np.full(SHAPE, 7, np.uint16), photometric="minisblack", metadata=None)
    # Put the sum's file behind, and link header → sum → first frame.
    extra = (tmp_path / "sum.tif").read_bytes()
    shift = len(raw)
    first = int.from_bytes(raw[8:16], "little")
    sum_offset = int.from_bytes(extra[8:16], "little")
    moved = bytearray(extra)
    tags = int.from_bytes(extra[sum_offset : sum_offset + 8], "little")
    for entry in range(sum_offset + 8, sum_offset + 8 + 20 * tags, 20):
        tag, kind = (int.from_bytes(extra[entry + i : entry + i + 2], "little") for i in (0, 2))
        if tag == 273 or (kind == 2 and int.from_bytes(extra[entry + 4 : entry + 12], "little") > 8):
            value = int.from_bytes(extra[entry + 12 : entry + 20], "little")
            moved[entry + 12 : entry + 20] = (value + shift).to_bytes(8, "little")
    moved[sum_offset + 8 + 20 * tags : sum_offset + 16 + 20 * tags] = first.to_bytes(8, "little")
    raw[8:16] = (shift + sum_offset).to_bytes(8, "little")
    (tmp_path / "both.eer").write_bytes(raw + moved)
    assert len(data) == read_info(tmp_path / "both.eer").frames == 3
    with open_frames(tmp_path / "both.eer", eer=EERRendering(1, 1)) as reader:
        np.testing.assert_array_equal(next(iter(reader)), _counted(movie, SHAPE, 1))


def test_more_fractions_than_frames_are_refused(tmp_path: Path) -> None:
    write_eer(tmp_path / "m.eer", _movie(np.random.default_rng(7), 3), shape=SHAPE)
    with pytest.raises(FormatError, match="has 3 frames, fewer than the 4 fractions"):
        open_frames(tmp_path / "m.eer", eer=EERRendering(1, 4))
    with pytest.raises(ValueError, match="upsampling of 1 or 2"):
        EERRendering(3)  # type: ignore[arg-type]


def test_a_file_cut_short_is_refused_by_frame(tmp_path: Path) -> None:
    write_eer(tmp_path / "m.eer", _movie(np.random.default_rng(8), 6), shape=SHAPE)
    raw = (tmp_path / "m.eer").read_bytes()
    with tifffile.TiffFile(tmp_path / "m.eer") as tiff:
        end = tiff.pages[3].offset
    (tmp_path / "m.eer").write_bytes(raw[: end + 20])
    with pytest.raises(FormatError, match="directory of frame 4"):
        read_info(tmp_path / "m.eer")


def test_damaged_codes_are_refused_by_frame(tmp_path: Path) -> None:
    write_eer(tmp_path / "m.eer", [np.full((1, 2), 5.0)] * 6, shape=SHAPE)
    with tifffile.TiffFile(tmp_path / "m.eer") as tiff:
        start = tiff.pages[4].aspage().dataoffsets[0]
    raw = bytearray((tmp_path / "m.eer").read_bytes())
    raw[start] ^= 0x11
    (tmp_path / "m.eer").write_bytes(raw)
    assert read_info(tmp_path / "m.eer").frames == 6
    with open_frames(tmp_path / "m.eer", eer=EERRendering(1, 3)) as reader:
        reader.read(0, 2)
        with pytest.raises(FormatError, match="frame 5 of 6 is damaged"):
            reader.read(2, 3)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=16, max_size=80), codes=st.sampled_from([EERCodes(7), EERCodes(2, 4, 4)]))
def test_any_bytes_are_decoded_or_refused(data: bytes, codes: EERCodes) -> None:
    image = np.zeros((18, 22), np.uint8)
    (electrons,) = add_electrons([data], image, codes, 2)
    assert electrons == -1 or electrons == image.sum()


def test_hostile_metadata_are_refused(tmp_path: Path) -> None:
    write_eer(tmp_path / "m.eer", _movie(np.random.default_rng(9), 2), shape=SHAPE)
    raw = (tmp_path / "m.eer").read_bytes()
    start = raw.index(b"<metadata>")
    bomb = b'<!DOCTYPE m [<!ENTITY a "aaaaaaaa">]><metadata><item name="n">&a;</item></metadata>'
    (tmp_path / "m.eer").write_bytes(raw[:start] + bomb.ljust(2048) + raw[start + 2048 :])
    with pytest.raises(FormatError, match="no usable XML"):
        read_info(tmp_path / "m.eer")


def test_a_tiff_by_another_name_is_still_eer(tmp_path: Path) -> None:
    write_eer(tmp_path / "m.tif", _movie(np.random.default_rng(10), 2), shape=SHAPE)
    write_mrc(tmp_path / "m.eer", np.zeros((4, 4), np.float32), 1.0)
    assert read_info(tmp_path / "m.tif").format == "EER"
    assert read_info(tmp_path / "m.eer").format == "MRC"
    assert mrcfile.read(tmp_path / "m.eer").shape == (4, 4)
