"""Whatever happens to a header: a right-sized image or one clear error, in little memory."""

import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eucentric.formats import FormatError, open_frames, read_info, read_star, write_eer, write_mrc, write_tiff

HARM = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6)
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MEMORY = 2**24
"""Far more than these files need, far less than a damaged header may ask for."""


@pytest.fixture(autouse=True, scope="module")
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load what readers import when it is first needed, whose memory is none of a file's."""
    folder = tmp_path_factory.mktemp("whole")
    for compression in ("none", "lzw", "zstd", "deflate"):
        write_tiff(folder / f"{compression}.tif", np.zeros((2, 8, 8), np.uint8), compression=compression)
    for file in folder.iterdir():
        with open_frames(file, threads=1) as reader:
            list(reader)
    for start in (b"", b"II*\0", b"\x89HDF\r\n\x1a\n"):
        (folder / "broken").write_bytes(start + b"x")
        with suppress(FormatError), open_frames(folder / "broken", threads=1):
            pytest.fail("it is broken")


def _read_or_refuse(path: Path) -> None:
    tracemalloc.start()
    try:
        info = read_info(path)
        shapes = set()
        with open_frames(path, threads=1) as reader:
            for frame in reader:
                shapes.add((frame.shape, frame.dtype))
        assert shapes == {((info.height, info.width), info.dtype)}
    except FormatError:
        event("refused")
    else:
        event("read")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MEMORY


def _harmed(raw: bytes, harm: list[tuple[float, int]], places: NDArray[np.int64]) -> bytes:
    changed = bytearray(raw)
    for place, mask in harm:
        changed[places[int(place * len(places))]] ^= mask
    return bytes(changed)


@FEW
@given(harm=HARM)
def test_damaged_mrc_header(tmp_path: Path, frames: NDArray[np.uint8], harm: list[tuple[float, int]]) -> None:
    path = tmp_path / "s.mrcs"
    write_mrc(path, frames, 1.0)
    # Most of the header is text and padding: harm the words that matter.
    places = np.r_[0:64, 88:112, 152:160, 208:216]
    path.write_bytes(_harmed(path.read_bytes(), harm, places))
    _read_or_refuse(path)


@FEW
@given(harm=HARM, compression=st.sampled_from(["none", "lzw", "zstd", "deflate"]))
def test_damaged_tiff(
    tmp_path: Path, frames: NDArray[np.uint8], harm: list[tuple[float, int]], compression: Any
) -> None:
    path = tmp_path / "m.tif"
    write_tiff(path, np.zeros_like(frames), compression=compression)  # little but tags
    raw = path.read_bytes()
    places = np.r_[0 : min(len(raw), 300)]
    path.write_bytes(_harmed(raw, harm, places))
    _read_or_refuse(path)


@FEW
@given(raw=st.binary(max_size=300), start=st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
def test_any_bytes(tmp_path: Path, raw: bytes, start: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(start + raw)
    with pytest.raises(FormatError):
        read_info(path)


@FEW
@given(harm=HARM)
def test_damaged_star(tmp_path: Path, harm: list[tuple[float, int]]) -> None:
    path = tmp_path / "a.star"
    raw = b"data_optics\n\nloop_\n_rlnVoltage #1\n_rlnName #2\n300.0 'a b'\n200.0 c\n\ndata_b\n\n_rlnA 1\n"
    path.write_bytes(_harmed(raw, harm, np.arange(len(raw))))
    with suppress(FormatError):  # anything else is a failure
        read_star(path)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    """Zeros pack well: a page of 16 million pixels in a few hundred bytes whose header admits to 100."""
    import imagecodecs
    import tifffile

    path = tmp_path / "bomb.tif"
    bomb = imagecodecs.zstd_encode(bytes(2**24))
    tifffile.imwrite(path, np.zeros((10, 10), np.uint8), compression="zstd", photometric="minisblack",
                     metadata=None)  # fmt: skip
    with tifffile.TiffFile(path) as tiff:
        tags = tiff.pages.first.tags
        offset_at, count_at = tags[273].valueoffset, tags[279].valueoffset
        assert tags[273].count == tags[279].count == 1
    raw = bytearray(path.read_bytes())
    raw[offset_at : offset_at + 4] = len(raw).to_bytes(4, "little")
    raw[count_at : count_at + 4] = len(bomb).to_bytes(4, "little")
    path.write_bytes(raw + bomb)
    tracemalloc.start()
    try:
        with open_frames(path, threads=1) as reader, pytest.raises(FormatError, match="frame 1 of 1"):
            list(reader)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@FEW
@given(harm=HARM)
def test_damaged_eer(tmp_path: Path, harm: list[tuple[float, int]]) -> None:
    path = tmp_path / "m.eer"
    electrons = np.random.default_rng(1).uniform(0, 30, (20, 2))
    write_eer(path, [electrons] * 4, shape=(32, 32), compression=65002)
    raw = path.read_bytes()
    places = np.r_[0:40, 2048 : len(raw)]  # between them there are metadata, padded with spaces
    path.write_bytes(_harmed(raw, harm, places))
    tracemalloc.start()
    try:
        info = read_info(path)
        with open_frames(path, threads=1) as reader:
            assert len(reader) == min(info.frames, 40)
            for frame in reader:
                assert frame.shape == (info.height, info.width)
    except FormatError:
        event("refused")
    else:
        event("read")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MEMORY
