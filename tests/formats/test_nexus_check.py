"""What the community's checker of NeXus files says of ours."""

import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from eucentric.engine.programs import Environment
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.nexus_writing import write_nexus
from outside_environments import installed

CHECKER = Environment("nexusformat", alone=("nexusformat==2.1.0",), requirements=("nexusformat==2.1.0",))


@pytest.fixture(scope="module")
def checker() -> Path:
    """The program nxcheck, in an environment of its own."""
    return installed(CHECKER) / "nxcheck"


def _complaints(path: Path, checker: Path) -> int:
    ended = subprocess.run([checker, path], capture_output=True, text=True, check=True)
    totals = re.findall(r"Total number of (?:warnings|errors): (\d+)", ended.stdout)
    assert len(totals) == 2
    return sum(map(int, totals))


@pytest.mark.parametrize("frames", [1, 4])
def test_it_has_nothing_to_complain_of(tmp_path: Path, checker: Path, frames: int) -> None:
    known = {"voltage": 300.0, "dose": 40.0, "camera": "K3"}
    info = ImageInfo(
        Path("m.mrc"), "MRC", frames, 8, 9, np.dtype("f4"), 1.5, frames > 1, known,
        (3.0, 1.5, 1.5), (1.0, 2.0, 3.0), ("a title",),
    )  # fmt: skip
    write_nexus(tmp_path / "m.nxs", iter(np.zeros((frames, 8, 9), "f4")), info)
    assert _complaints(tmp_path / "m.nxs", checker) == 0
    with h5py.File(tmp_path / "m.nxs", "r+") as file:
        file["entry/data"].attrs["signal"] = "missing"
        file["entry/instrument/source/voltage"].attrs["units"] = "furlong"
    assert _complaints(tmp_path / "m.nxs", checker) > 0
