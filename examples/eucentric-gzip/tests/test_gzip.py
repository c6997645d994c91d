"""Packing with the real gzip."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from eucentric.engine.programs import ProgramFailed
from eucentric.engine.protocol import Task
from eucentric.formats import write_mrc
from eucentric.metadata import Micrograph
from eucentric_gzip import PackMicrograph, saved

OPTICS = {"pixel_size": 1.0, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task of a session in the folder `tmp_path`, whose results lie in `packed`."""
    (tmp_path / "packed").mkdir()
    return Task(key=("grid", "1"), folder=tmp_path / "packed", destination="packed", session=tmp_path)


def test_a_micrograph_is_packed(task: Task) -> None:
    image = task.session / "an image.mrc"
    write_mrc(image, np.zeros((64, 64), np.float32), 1.0)
    micrograph = Micrograph(path=image.name, height=64, width=64, **OPTICS)
    packed = PackMicrograph().process(micrograph, task)
    assert packed.path == "packed/packed.mrc.gz"
    assert packed.saved > 90
    assert gzip.decompress(task.locate(packed.path).read_bytes()) == image.read_bytes()
    assert [file.name for file in task.folder.iterdir()] == ["packed.mrc.gz"]


def test_what_gzip_lists_is_understood() -> None:
    # As gzip 1.12 prints it.
    lines = ("compressed        uncompressed  ratio uncompressed_name", "61  17408  99.8% image.mrc")
    assert saved(lines) == 99.8
    with pytest.raises(ProgramFailed, match="cannot be understood: what"):
        saved(("what",))


def test_a_missing_file_is_told(task: Task) -> None:
    micrograph = Micrograph(path="gone.mrc", height=64, width=64, **OPTICS)
    with pytest.raises(
        ProgramFailed, match=r"gzip 1\.\d+ ended with exit code 1\. .*image\.mrc: No such file"
    ):
        PackMicrograph().process(micrograph, task)
