"""Every MRC, TIFF and map file of the real data opens, or is refused with its reason."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from eucentric.formats import FormatError, open_frames

READ = {
    "data/EMD-3197.map": (20, 20, 20, "f4", 11.4),
    "data/KLH_crop.tif": (1, 844, 760, "u1", None),
    "data/aspire_particles_17x200.mrcs": (17, 200, 200, "f4", None),
    "data/epu2.9_example.mrc": (1, 4096, 4096, "u2", 0.66655),
    "fixtures/mrcfile-1.5.4__epu2.9_crop64.mrc": (1, 64, 64, "u2", 0.66655),
    "fixtures/mrcfile__EMD-3197.map": (20, 20, 20, "f4", 11.4),
    "fixtures/rosettasciio__test_loading_image_saved_with_DM.tif": (1, 68, 68, "i4", 1686.74693),
    "fixtures/tiltstack-0.0.1rc6__TS_01_000_0_0.mrc": (1, 10, 10, "f2", None),
    "fixtures/tiltstack-0.0.1rc6__TS_01_001_3_0.mrc": (1, 10, 10, "f2", None),
}
REFUSED = {
    "data/EMD-3001.map": "axes",
    "fixtures/mrcfile__EMD-3001.map.bz2": "bzip2",
    "fixtures/rosettasciio__JEOL-SightX-TEM-mag-dummy.tif.gz": "gzip",
    "fixtures/rosettasciio__olympus_SIS.tif": "JPEG",
}


@pytest.mark.parametrize("name", READ)
def test_read(shared: Path, name: str) -> None:
    with open_frames(shared / name) as reader:
        info = reader.info
        found = reader.read(0, info.frames)
    *shape, dtype, pixel_size = READ[name]
    assert found.shape == tuple(shape)
    assert info.dtype == dtype
    assert info.pixel_size == (pixel_size if pixel_size is None else pytest.approx(pixel_size, abs=1e-5))
    if info.format == "TIFF":
        expected = tifffile.imread(shared / name)[::-1]
    else:
        with mrcfile.open(shared / name) as other:
            expected = other.data
    np.testing.assert_array_equal(found.squeeze(), expected)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(shared: Path, name: str) -> None:
    with pytest.raises(FormatError, match=REFUSED[name]):
        open_frames(shared / name)


def test_the_lists_are_complete(shared: Path) -> None:
    suffixes = {".mrc", ".mrcs", ".map", ".tif", ".tiff", ".bz2"}
    there = {
        str(path.relative_to(shared))
        for folder in ("data", "fixtures")
        for path in (shared / folder).iterdir()
        if path.suffix in suffixes or path.name.endswith(".tif.gz")
    }
    assert there == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("suffix", [".ser", ".emd", ".blo", ".h5", ".bmp", ".xml", ".pdb.gz"])
def test_files_of_other_kinds_are_refused(shared: Path, suffix: str) -> None:
    files = [path for path in (shared / "fixtures").iterdir() if path.name.endswith(suffix)]
    files += [path for path in (shared / "data").iterdir() if path.name.endswith(suffix)]
    assert files
    for path in files:
        with pytest.raises(FormatError, match=path.name.replace("(", r"\(").replace(")", r"\)")):
            open_frames(path)
