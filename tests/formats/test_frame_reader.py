import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eucentric.formats import FrameReader, ImageInfo, open_frames, write_mrc, write_tiff

FRAMES = 40


@pytest.mark.parametrize("threads", [1, 3])
def test_decoding_runs_ahead_by_a_bounded_number_of_frames(threads: int) -> None:
    info = ImageInfo(Path("x"), "MRC", FRAMES, 2, 2, np.dtype("u1"), None)
    started: set[int] = set()
    closed = threading.Event()

    def decode(index: int) -> NDArray[np.uint8]:
        started.add(index)
        return np.full((2, 2), index, np.uint8)

    with FrameReader(info, decode, closed.set, threads) as reader:
        for number, frame in enumerate(reader):
            assert frame[0, 0] == number  # in order
            assert max(started) <= number + threads + 2
    assert started == set(range(FRAMES))
    assert closed.is_set()


def test_a_reader_may_be_left_early_and_used_again(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    write_tiff(tmp_path / "m.tif", frames)
    with open_frames(tmp_path / "m.tif", threads=2) as reader:
        for _ in range(3):
            np.testing.assert_array_equal(next(iter(reader)), frames[0])
        np.testing.assert_array_equal(reader.read(4, 5), frames[4:])


def test_two_walks_at_once(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    write_mrc(tmp_path / "s.mrcs", frames, None)
    with open_frames(tmp_path / "s.mrcs", threads=2) as reader:
        for first, second in zip(reader, reader, strict=True):
            np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 3), (4, 2), (0, 6)])
def test_frames_that_do_not_exist(tmp_path: Path, frames: NDArray[np.uint8], start: int, stop: int) -> None:
    write_mrc(tmp_path / "s.mrcs", frames, None)
    with open_frames(tmp_path / "s.mrcs") as reader, pytest.raises(IndexError, match="of a file with 5"):
        reader.read(start, stop)
