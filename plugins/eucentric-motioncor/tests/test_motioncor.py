"""MotionCor3's options and files, with a stand-in that has them as documented; it is not run itself."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from eucentric.engine.programs import NoSpaceForProgram, ProgramFailed
from eucentric.engine.protocol import Task
from eucentric.formats import read_image, read_info, read_shifts_star, write_mrc, write_tiff
from eucentric.metadata import Gain, Movie
from eucentric_motioncor.align import MotionCorAlign
from eucentric_motioncor.command import Options, arguments, fractions
from eucentric_motioncor.logs import read_frame_shifts, read_patch_shifts
from outside_environments import site_with

# Where the specimen is in every frame (x, y), px.
DISPLACED = np.array([(0, 0), (2, -1), (4, -1), (5, -2), (5, -3)])
SHAPE = (48, 64)
PIXEL_SIZE = 1.25


def movie(name: str = "movie.mrc", **changed: object) -> Movie:
    values = {
        "path": name,
        "bytes": 1,
        "modified": 0,
        "frames": 5,
        "height": SHAPE[0],
        "width": SHAPE[1],
        "dose_per_frame": 1.5,
        "pre_exposure": 3,
        "optics_group": 2,
        "pixel_size": PIXEL_SIZE,
        "voltage": 300,
        "spherical_aberration": 2.7,
        "amplitude_contrast": 0.1,
    }
    return Movie(**(values | changed))


@pytest.fixture
def specimen() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 60, SHAPE).astype(np.float64)


def frames_of(specimen: np.ndarray, sensitivity: np.ndarray | float = 1.0) -> np.ndarray:
    moved = [np.roll(specimen, (y, x), (0, 1)) for x, y in DISPLACED]
    return np.round(np.array(moved) * sensitivity).astype(np.uint16)


def program(folder: Path, script: str) -> Path:
    folder.mkdir()
    (folder / "MotionCor3").write_text(script)
    (folder / "MotionCor3").chmod(0o755)
    return folder


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "given.json"))
    # Every frame is moved to where the specimen is in the middle one.
    monkeypatch.setenv("STAND_IN_MOVED", json.dumps((DISPLACED[2] - DISPLACED).tolist()))
    text = Path(__file__).with_name("stand_in.py").read_text().replace("{version}", "1.2.1")
    return program(tmp_path / "bin", f"#!{sys.executable}\n{text}")


def run(folder: Path, programs: Path, item: Movie, gain: Gain, **params: object):
    (folder / "work").mkdir()
    site = site_with(folder / "site", "motioncor", programs)
    task = Task(("grid", "m"), folder / "work", "runs/work", folder, site, cpus=3)
    return MotionCorAlign(MotionCorAlign.Params(**params)).process(item, gain, task)


def test_a_movie_is_aligned_and_its_files_are_ours(tmp_path: Path, stand_in: Path, specimen) -> None:
    write_mrc(tmp_path / "movie.mrc", frames_of(specimen), PIXEL_SIZE)
    found = run(tmp_path, stand_in, movie(), Gain(path=None), halves=True)
    middle = np.roll(specimen, DISPLACED[2][::-1], (0, 1))
    np.testing.assert_allclose(read_image(tmp_path / "work" / "sum.mrc"), 5 * middle)
    np.testing.assert_allclose(read_image(tmp_path / "work" / "sum_DW.mrc"), 5 * middle + 1)
    np.testing.assert_allclose(read_image(tmp_path / "work" / "sum_EVN.mrc"), 2 * middle)
    assert (found.path, found.unweighted_path) == ("runs/work/sum_DW.mrc", "runs/work/sum.mrc")
    assert found.halves_paths == ("runs/work/sum_ODD.mrc", "runs/work/sum_EVN.mrc")
    assert (found.height, found.width, found.pixel_size) == (*SHAPE, PIXEL_SIZE)
    assert read_info(tmp_path / "work" / "sum.mrc").pixel_size == pytest.approx(PIXEL_SIZE)
    assert (found.frames, found.dose, found.movie_path, found.optics_group) == (5, 7.5, "movie.mrc", 2)
    steps = np.hypot(*np.diff(DISPLACED, axis=0).T) * PIXEL_SIZE
    assert found.motion_total == pytest.approx(steps.sum())
    assert found.motion_early == pytest.approx(steps[:2].sum())  # within the first 4 e⁻/Å²
    files = {"sum.mrc", "sum_DW.mrc", "sum_ODD.mrc", "sum_EVN.mrc", "thumbnail.png", "shifts.star"}
    assert {file.name for file in (tmp_path / "work").iterdir()} == files
    given = json.loads((tmp_path / "given.json").read_text())
    assert (given["-InMrc"], given["-Patch"], given["-Bft"]) == (["movie.mrc"], ["5", "5"], ["500", "100"])
    assert (given["-FmDose"], given["-InitDose"], given["-kV"]) == (["1.5"], ["3"], ["300"])
    assert "-Gain" not in given

    shifts = read_shifts_star(tmp_path / "work" / "shifts.star")
    np.testing.assert_allclose(shifts.shifts, (DISPLACED - DISPLACED[0]) * PIXEL_SIZE, atol=1e-4)
    assert shifts.patches is not None
    # Of the second patch one frame is not trusted, of the third the first one, and so none of it is kept.
    np.testing.assert_array_equal(shifts.patches.frames, [1, 2, 3, 4, 5, 1, 2, 4, 5])
    np.testing.assert_allclose(shifts.patches.x, [5] * 5 + [15] * 4)
    moved = np.array([0, 0, 0, 0, 0, 0, 0.5, 1.5, 2.0])
    np.testing.assert_allclose(shifts.patches.shifts[:, 0], -moved * PIXEL_SIZE, atol=1e-4)
    np.testing.assert_allclose(shifts.patches.shifts[:, 1], 0, atol=1e-4)


def test_a_reference_is_turned_inverted_and_given_as_ours(tmp_path: Path, stand_in: Path, specimen) -> None:
    """A TIFF movie whose reference is divided by, and lies turned by 90° and flipped."""
    sensitivity = np.random.default_rng(2).choice([1.0, 2.0, 4.0], SHAPE)
    sensitivity[5, 7] = 0
    dark = np.full(SHAPE, 3, np.float32)
    raw = frames_of(specimen, sensitivity) + 3
    write_tiff(tmp_path / "movie.tif", raw.astype(np.uint16))
    # What is turned counter-clockwise by 90° and then flipped left-right becomes the image itself.
    for name, image in (("gain", sensitivity), ("dark", dark)):
        write_mrc(tmp_path / f"{name}.mrc", np.rot90(image[:, ::-1]).astype(np.float32), PIXEL_SIZE)
    gain = Gain(path="gain.mrc", dark_path="dark.mrc", operation="divide", rotation=90, flip="left-right")
    found = run(tmp_path, stand_in, movie("movie.tif"), gain, patches_x=0, dose_weighting=False)
    assert found.path == found.unweighted_path == "runs/work/sum.mrc"
    mean = sensitivity[sensitivity > 0].mean()
    wanted = np.array([np.roll(specimen, (y, x), (0, 1)) for x, y in DISPLACED]) * mean
    wanted[:, 5, 7] = 0
    moves = DISPLACED[2] - DISPLACED
    total = sum(np.roll(frame, (y, x), (0, 1)) for frame, (x, y) in zip(wanted, moves, strict=True))
    np.testing.assert_allclose(read_image(tmp_path / "work" / "sum.mrc"), total, rtol=1e-4)
    given = json.loads((tmp_path / "given.json").read_text())
    assert given["-DefectMap"] == ["defects.mrc"]
    assert not {"-RotGain", "-FlipGain", "-InvGain", "-FmDose", "-Patch"} & set(given)
    star = read_shifts_star(tmp_path / "work" / "shifts.star")
    np.testing.assert_allclose(star.shifts, (DISPLACED - DISPLACED[0]) * PIXEL_SIZE, atol=1e-4)
    assert star.patches is None


def test_binned_sums_have_the_pixel_size_of_their_field(tmp_path: Path, stand_in: Path, specimen) -> None:
    write_mrc(tmp_path / "movie.mrc", frames_of(specimen), PIXEL_SIZE)
    found = run(tmp_path, stand_in, movie(), Gain(path=None), binning=2)
    assert (found.height, found.width, found.pixel_size) == (24, 32, 2.5)
    assert read_shifts_star(tmp_path / "work" / "shifts.star").binning == 2


OPTIONS = Options((5, 4), (500, 100), 15, 0.1, 1.0, True, False)


def test_an_eer_movie_is_read_in_the_fractions_of_its_item() -> None:
    item = movie("m.eer", frames=4, raw_frames=10, upsampling=2, dose_per_frame=2.5)
    given = arguments(item, "eer", OPTIONS, {"-Gain": "gain.mrc"})
    text = " ".join(given)
    assert text.startswith("-InEer movie.eer -OutMrc sum.mrc -LogDir log -Gain gain.mrc -EerSampling 2")
    assert "-FmIntFile fractions.txt" in text
    assert "-FmDose 1" in text  # of a camera frame: 4 × 2.5 / 10
    lines = [line.split() for line in fractions(item).splitlines()]
    assert [line[:2] for line in lines] == [["2", "2"], ["3", "3"], ["3", "3"], ["2", "2"]]
    assert {float(line[2]) for line in lines} == {1.0}


def test_what_is_not_known_or_wanted_is_not_given() -> None:
    unknown = arguments(movie(dose_per_frame=0), "mrc", OPTIONS, {})
    assert "-FmDose" not in unknown
    assert "-SplitSum" not in unknown
    assert unknown[unknown.index("-Patch") : unknown.index("-Patch") + 3] == ["-Patch", "5", "4"]
    assert unknown[unknown.index("-SumRange") : unknown.index("-SumRange") + 3] == ["-SumRange", "0", "0"]
    assert unknown[unknown.index("-Cs") + 1] == "0"


TELL = '#!/bin/sh\nif [ "$1" = --version ]; then echo MotionCor3 version 1.2.1; exit; fi\n'


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (TELL + "echo 'mCheckGPUs: no valid device detected.' >&2; exit 5", "exit code 5.*no valid device"),
        (TELL, r"MotionCor3 1\.2\.1 ended well but did not write sum.mrc, sum_DW.mrc"),
        ("#!/bin/sh\necho MotionCor2 version 1.6.4", "does not tell its version as MotionCor3 does"),
        ("#!/bin/sh\necho MotionCor3 version 2.0.1", "is version 2.0.1, but >=1.1,<2 is needed"),
    ],
)
def test_failures_are_told(tmp_path: Path, script: str, told: str, specimen) -> None:
    write_mrc(tmp_path / "movie.mrc", frames_of(specimen), PIXEL_SIZE)
    with pytest.raises(ProgramFailed, match=told):
        run(tmp_path, program(tmp_path / "bin", script), movie(), Gain(path=None))


def test_where_the_program_comes_from_is_told(tmp_path: Path, specimen) -> None:
    write_mrc(tmp_path / "movie.mrc", frames_of(specimen), PIXEL_SIZE)
    with pytest.raises(ProgramFailed, match=r"MotionCor3 was not found at .*Its source is published"):
        run(tmp_path, tmp_path / "nowhere", movie(), Gain(path=None))


def test_a_full_disk_is_told_as_such(tmp_path: Path, specimen) -> None:
    write_mrc(tmp_path / "movie.mrc", frames_of(specimen), PIXEL_SIZE)
    full = program(tmp_path / "bin", TELL + "echo 'write: No space left on device'; exit 4")
    with pytest.raises(NoSpaceForProgram, match=r"MotionCor3 1\.2\.1 found no space"):
        run(tmp_path, full, movie(), Gain(path=None))


@pytest.mark.parametrize("text", ["", "1 0 0\n2 0\n", "1 0 0\n3 0 0\n", "1 0 0\n2 a 0\n", "1 0 0\n2 nan 0\n"])
def test_logs_of_another_layout_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "movie-Full.log").write_text(f"# full frame alignment\n{text}")
    with pytest.raises(ProgramFailed, match=r"MotionCor3 1\.3 wrote movie-Full\.log otherwise"):
        read_frame_shifts(tmp_path / "movie-Full.log", 2, 1.0, "1.3")
    with pytest.raises(ProgramFailed, match="otherwise"):
        read_patch_shifts(tmp_path / "movie-Full.log", 2, 1.0, "1.3")
    with pytest.raises(ProgramFailed, match=r"missing\.log otherwise"):
        read_frame_shifts(tmp_path / "missing.log", 2, 1.0, "1.3")
