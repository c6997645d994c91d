"""A file larger than the memory that its conversion may take."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eucentric.formats import write_mrc

FRAMES, SIDE = 2000, 256
MOST = 280  # MB, of a file of 524 MB

PROGRAM = """
import resource, sys
from pathlib import Path
from eucentric.formats.convert_images import ImageOptions, convert_image

def most() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

small, large, target = (Path(each) for each in sys.argv[1:4])
options = ImageOptions(compression=sys.argv[4], overwrite=True)
convert_image(small, target, options)  # what the libraries take is not counted
before = most()
done = convert_image(large, target, options)
print(most() - before, done.target.frames)
"""


@pytest.mark.parametrize(("ending", "compression"), [(".ome.zarr", "zstd"), (".nxs", "none")])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, ending: str, compression: str) -> None:
    frame = np.arange(SIDE * SIDE, dtype="f4").reshape(SIDE, SIDE)
    write_mrc(tmp_path / "small.map", [frame, frame], 1.0, volume=True)
    write_mrc(tmp_path / "large.map", (frame for _ in range(FRAMES)), 1.0, volume=True)
    files = [tmp_path / "small.map", tmp_path / "large.map", tmp_path / f"target{ending}"]
    assert files[1].stat().st_size > 1e6 * MOST
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *files, compression], capture_output=True, text=True, check=True
    )
    grown, frames = map(int, ended.stdout.split())
    assert frames == FRAMES
    assert grown < MOST
