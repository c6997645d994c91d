import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from eucentric.microscope.complete import Clock, Growing, Version, has_frames


def test_a_version_survives_a_passage_through_datetime(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    for nanoseconds in (1_700_000_000_123_456_789, 1_700_000_000_999_999_999, 1_795_228_178_000_000_001):
        os.utime(file, ns=(nanoseconds, nanoseconds))
        version = Version.of(file.stat())
        assert version.size == 3
        assert datetime.fromtimestamp(version.modified, UTC).timestamp() == version.modified


def test_a_change_of_size_undoes_a_close_a_change_of_time_does_not() -> None:
    growing = Growing(Version(10, 1.0), since=0, due=0, finished=True)
    growing.update(Version(10, 2.0), now=5)
    assert growing.finished
    assert growing.since == 5
    growing.update(Version(11, 2.0), now=6)
    assert not growing.finished
    assert growing.since == 6


def test_quiet_by_observation() -> None:
    clock = Clock()
    growing = Growing(Version(10, time.time() + 1000), since=100, due=0)  # its time lies in the future
    assert not growing.is_quiet(109.9, 10, clock)
    assert growing.is_quiet(110, 10, clock)
    growing.update(Version(11, time.time() + 1000), now=110)
    assert not growing.is_quiet(115, 10, clock)


def test_quiet_by_age_on_a_local_disk() -> None:
    assert Growing(Version(10, time.time() - 11), since=0, due=0).is_quiet(0, 10, Clock())
    assert not Growing(Version(10, time.time() - 5), since=0, due=0).is_quiet(0, 10, Clock())


def test_a_server_whose_clock_is_behind_makes_no_growing_file_old() -> None:
    clock = Clock()
    clock.on_network = True
    server_now = time.time() - 300
    clock.saw(server_now)
    growing = Growing(Version(10, server_now), since=0, due=0)
    assert not growing.is_quiet(0, 10, clock)
    clock.saw(server_now + 10)  # another file tells that its clock went on
    assert growing.is_quiet(0, 10, clock)


def test_a_server_whose_clock_is_ahead_makes_no_file_old_either() -> None:
    clock = Clock()
    clock.on_network = True
    clock.saw(time.time() + 1e6)
    assert not Growing(Version(10, time.time()), since=0, due=0).is_quiet(0, 10, clock)


def test_whole_when_the_expected_number_of_frames_is_there(tmp_path: Path) -> None:
    movie = tmp_path / "m.tiff"
    holds_three = has_frames(3)
    assert not holds_three(movie)
    with tifffile.TiffWriter(movie) as file:
        for number in range(3):
            assert not holds_three(movie)
            file.write(np.full((8, 8), number, np.uint8), contiguous=False)
    assert holds_three(movie)
    assert holds_three(movie)
    assert not has_frames(4)(movie)


def test_text_is_never_whole(tmp_path: Path) -> None:
    (tmp_path / "m.mdoc").write_text("PixelSpacing = 1.0\n")
    assert not has_frames(1)(tmp_path / "m.mdoc")


def test_no_frames_cannot_be_expected() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        has_frames(0)
