"""What movies are corrected with: every kind of reference, and how it is made to fit."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from eucentric.engine.protocol import Task
from eucentric.formats import EERRendering, open_frames, write_eer, write_mrc, write_tiff
from eucentric.imaging.gain_check import check_gain
from eucentric.metadata import Gain
from eucentric.metadata.detectors import operation_for, rule_for
from eucentric.techniques.single_particle.gain import fits_shape, read_correction

SHAPE = (8, 12)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task(key=("grid",), folder=tmp_path / "work", destination="d", session=tmp_path)


@pytest.fixture
def sensitivity() -> NDArray[np.float32]:
    """How much each pixel counts [y, x], on average 1."""
    pixels = np.random.default_rng(1).normal(1, 0.1, SHAPE)
    return np.asarray(pixels / pixels.mean(), np.float32)


def test_a_multiplier_and_a_divisor_give_the_same(task: Task, sensitivity: NDArray[np.float32]) -> None:
    sensitivity[2, 3] = 0
    gain = np.divide(1, sensitivity, out=np.zeros_like(sensitivity), where=sensitivity > 0)
    write_mrc(task.session / "multiply.mrc", gain, 1.0)
    write_mrc(task.session / "divide.mrc", sensitivity * 700, 1.0)
    one = read_correction(Gain(path="multiply.mrc"), task, SHAPE)
    other = read_correction(Gain(path="divide.mrc", operation="divide"), task, SHAPE)
    assert one.multiplier is not None
    assert other.multiplier is not None
    assert one.multiplier.dtype == other.multiplier.dtype == np.float32
    np.testing.assert_array_equal(one.multiplier, gain)
    ratio = other.multiplier[gain > 0] / gain[gain > 0]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    assert ratio[0] == pytest.approx(1, abs=0.02)
    for correction in (one, other):
        assert correction.defects is not None
        assert correction.defects.sum() == 1
        assert correction.defects[2, 3]


def test_a_reference_in_super_resolution_flattens_a_counting_movie(task: Task) -> None:
    """Four parts of a pixel count what they count together."""
    rng = np.random.default_rng(2)
    fine = rng.uniform(0.5, 2, (SHAPE[0] * 2, SHAPE[1] * 2)).astype(np.float32)
    gain = 1 / fine
    gain[5, 7] = 0
    write_mrc(task.session / "g.mrc", gain, 1.0)
    found = read_correction(Gain(path="g.mrc"), task, SHAPE)
    counted = fine.reshape(SHAPE[0], 2, SHAPE[1], 2).sum((1, 3)) / 4  # of one electron for each pixel
    assert found.multiplier is not None
    assert found.multiplier[2, 3] == 0
    good = found.multiplier > 0
    assert good.sum() == good.size - 1
    np.testing.assert_allclose((found.multiplier * counted)[good], 1, rtol=1e-5)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_coarser_reference_holds_for_every_part(
    task: Task, sensitivity: NDArray[np.float32], factor: int
) -> None:
    write_tiff(task.session / "g.tif", 1 / sensitivity)
    shape = (SHAPE[0] * factor, SHAPE[1] * factor)
    found = read_correction(Gain(path="g.tif"), task, shape)
    np.testing.assert_array_equal(found.multiplier, np.kron(1 / sensitivity, np.ones((factor, factor))))
    assert found.defects is None


def test_a_reference_is_turned_then_flipped(task: Task, sensitivity: NDArray[np.float32]) -> None:
    write_mrc(task.session / "g.mrc", sensitivity, 1.0)
    found = read_correction(Gain(path="g.mrc", rotation=90, flip="left-right"), task, SHAPE[::-1])
    np.testing.assert_array_equal(found.multiplier, sensitivity.T)
    found = read_correction(Gain(path="g.mrc", flip="top-bottom"), task, SHAPE)
    np.testing.assert_array_equal(found.multiplier, sensitivity[::-1])


def test_defect_files_masks_and_dark_references_are_made_to_fit(task: Task) -> None:
    (task.session / "defects.txt").write_text("CameraSizeX 6\nCameraSizeY 4\nBadPixels 1 0\n")
    dark = np.arange(4 * 96, dtype=np.float32).reshape(16, 24)
    write_mrc(task.session / "dark.mrc", dark, 1.0)
    found = read_correction(Gain(path=None, defects_path="defects.txt", dark_path="dark.mrc"), task, SHAPE)
    assert found.multiplier is None
    assert found.defects is not None
    expected = np.zeros(SHAPE, bool)
    expected[6:8, 2:4] = True  # the first row of the list is the top
    np.testing.assert_array_equal(found.defects, expected)
    assert found.dark is not None
    assert found.dark.sum() == dark.sum()
    write_tiff(task.session / "mask.tif", np.eye(8, 12, dtype=np.uint8))
    found = read_correction(Gain(path=None, defects_path="mask.tif"), task, SHAPE)
    np.testing.assert_array_equal(found.defects, np.eye(8, 12, dtype=bool))


def test_numbers_that_are_none_are_defects(task: Task, sensitivity: NDArray[np.float32]) -> None:
    sensitivity[0, :3] = np.nan, np.inf, -1
    tifffile.imwrite(task.session / "g.gain", sensitivity, photometric="minisblack")
    found = read_correction(Gain(path="g.gain", operation="divide"), task, SHAPE)
    assert found.defects is not None
    assert list(np.argwhere(found.defects)[:, 1]) == [0, 1, 2]
    assert found.multiplier is not None
    assert np.isfinite(found.multiplier).all()
    write_mrc(task.session / "zero.mrc", np.zeros(SHAPE, np.float32), 1.0)
    with pytest.raises(ValueError, match="has no positive number"):
        read_correction(Gain(path="zero.mrc"), task, SHAPE)


def test_a_reference_of_another_size_is_refused(task: Task) -> None:
    write_mrc(task.session / "g.mrc", np.ones((8, 11), np.float32), 1.0)
    with pytest.raises(ValueError, match="11 × 8 pixels, but the movie has 12 × 8"):
        read_correction(Gain(path="g.mrc"), task, SHAPE)
    assert not fits_shape((8, 11), SHAPE)
    assert not fits_shape((24, 36), SHAPE)
    assert all(fits_shape(shape, SHAPE) for shape in (SHAPE, (16, 24), (4, 6), (2, 3), (32, 48)))
    assert fits_shape((12, 8), SHAPE, turned=True)
    assert not fits_shape((12, 8), SHAPE)


@pytest.mark.parametrize("upsampling", [1, 2])
def test_a_gain_file_flattens_the_eer_movie_that_it_belongs_to(task: Task, upsampling: Literal[1, 2]) -> None:
    """Electrons, their file, the reference beside it, and the check: all lie the same way."""
    rng = np.random.default_rng(3)
    size = 256
    sensitivity = rng.normal(1, 0.1, (size, size)).clip(0.4, 1.6)
    places = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)  # (x, y) of every pixel
    frames = (
        (places + rng.uniform(-0.5, 0.5, places.shape))[rng.random((size, size)) < 0.1 * sensitivity]
        for _ in range(300)
    )
    write_eer(task.session / "m.eer", frames, shape=(size, size))
    tifffile.imwrite(task.session / "r.gain", (1 / sensitivity).astype("f4"), photometric="minisblack")
    with open_frames(task.session / "m.eer", eer=EERRendering(upsampling, 10)) as movie:
        mean = torch.from_numpy(movie.read(0, 10).mean(0, dtype=np.float32))
    verdicts = {}
    for flip in ("none", "top-bottom", "left-right"):
        gain = Gain(path="r.gain", flip=flip)
        multiplier = read_correction(gain, task, (mean.shape[0], mean.shape[1])).multiplier
        assert multiplier is not None
        reference = torch.from_numpy(np.ascontiguousarray(multiplier))
        verdicts[flip] = check_gain(mean * reference, reference, frames=10).verdict
    assert verdicts == {"none": "fits", "top-bottom": "wrong", "left-right": "wrong"}


@pytest.mark.parametrize(
    ("detector", "file_format", "shape", "row"),
    [
        ("Falcon 4i", "EER", (4096, 4096), "Falcon, EER"),
        (None, "EER", (4096, 4096), "Falcon, EER"),
        ("Some camera", "EER", (512, 512), "Falcon, EER"),
        ("EF-Falcon", "MRC", (4096, 4096), "Falcon, fractions"),
        ("BM-Falcon", "TIFF", (4096, 4096), "Falcon, fractions"),
        (None, "TIFF", (4096, 4096), "unknown"),
        ("BioQuantum K3", "TIFF", (4092, 5760), "Gatan K3"),
        ("K3", "TIFF", (8184, 11520), "Gatan K3"),
        (None, "TIFF", (11520, 8184), "Gatan K3"),
        (None, "MRC", (3710, 3838), "Gatan K2"),
        ("K2 Summit", "TIFF", (512, 512), "Gatan K2"),
        ("EF-CCD", "TIFF", (4092, 5760), "Gatan K3"),
        ("DE64", "MRC", (8192, 8192), "Direct Electron, counting"),
        ("DE Apollo", "TIFF", (4096, 4096), "Direct Electron, counting"),
        ("Alpine", "TIFF", (2000, 2000), "Gatan Alpine"),
        ("BM-Ceta", "MRC", (4096, 4096), "Ceta"),
        ("Tescope", "MRC", (1024, 1024), "unknown"),
    ],
)
def test_the_row_of_a_camera(
    detector: str | None, file_format: str, shape: tuple[int, int], row: str
) -> None:
    assert rule_for(detector, file_format, shape).name == row  # type: ignore[arg-type]


def test_what_is_done_with_a_reference() -> None:
    falcon = rule_for(None, "EER", (4096, 4096))
    assert operation_for(falcon, "20240830_103455_EER_GainReference.gain") == "multiply"
    assert operation_for(falcon, "/gains/EER_GainReference.mrc") == "divide"
    k3 = rule_for("K3", "TIFF", (8184, 11520))
    assert operation_for(k3, "CountRef_x1.m1.mrc") == "multiply"
