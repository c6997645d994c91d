"""Topaz itself, on a simulated micrograph whose truth is known; and what is told when it fails."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from eucentric.engine.programs import NoSpaceForProgram, ProgramFailed
from eucentric.engine.protocol import Task
from eucentric.formats import read_coordinates_star, read_image, write_mrc
from eucentric.imaging.image_formation import ImagingConditions, contrast_spectrum
from eucentric.imaging.specimen import ice_potential, project_molecules, random_orientations
from eucentric.metadata import Micrograph
from eucentric.microscope.simulate import groel
from eucentric_topaz.denoise import TopazDenoise
from eucentric_topaz.pick import TopazPick, read_picks
from eucentric_topaz.program import ENVIRONMENT, TOPAZ, write_launcher
from outside_environments import installed, site_with

PIXEL_SIZE = 2.5
SHAPE = (900, 1000)
OPTICS = {"pixel_size": PIXEL_SIZE, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


@pytest.fixture(scope="session")
def topaz() -> Path:
    return installed(ENVIRONMENT, write_launcher)


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (x, y) in px of particles of GroEL in ice, the image without noise, and with it."""
    rng = np.random.default_rng(4)
    places = [np.array(place) for place in np.ndindex(6, 7)]
    centres = np.array(places)[:, ::-1] * (135, 140) + 85 + rng.uniform(-25, 25, (len(places), 2))
    potential = project_molecules(
        groel(), random_orientations(len(centres), rng), centres, SHAPE, PIXEL_SIZE
    ) + ice_potential(SHAPE, PIXEL_SIZE, 300, 40, rng)
    conditions = ImagingConditions(PIXEL_SIZE, 300, 2.7, 0.1, 15_150, 14_850, 30, 80)
    contrast = np.fft.irfft2(contrast_spectrum(potential, conditions), s=SHAPE)
    clean = 40 * PIXEL_SIZE**2 * (1 + contrast)
    return centres, clean, rng.poisson(np.maximum(clean, 0)).astype(np.float32)


@pytest.fixture
def session(tmp_path: Path, truth: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Path:
    write_mrc(tmp_path / "m.mrc", truth[2], PIXEL_SIZE)
    return tmp_path


def task(session: Path, programs: Path | str, name: str = "work") -> Task:
    (session / name).mkdir()
    site = site_with(session / f"{name}.site", "topaz", programs)
    return Task(("grid", "m"), session / name, f"runs/{name}", session, site)


def likeness(one: np.ndarray, other: np.ndarray, low: float, high: float) -> float:
    """Correlation of two images within a band of frequencies, in cycles per pixel."""
    frequency = np.hypot(np.fft.fftfreq(SHAPE[0])[:, None], np.fft.rfftfreq(SHAPE[1]))
    band = (frequency >= low) & (frequency < high)
    a, b = (np.fft.rfft2(image)[band] for image in (one, other))
    return float(np.real((a * b.conj()).sum()) / (np.linalg.norm(a) * np.linalg.norm(b)))


def micrograph(path: str = "m.mrc") -> Micrograph:
    return Micrograph(
        path=path, height=SHAPE[0], width=SHAPE[1], unweighted_path="sum.mrc", frames=40, dose=40, **OPTICS
    )


@pytest.mark.timeout(1200)
def test_particles_are_found_where_they_are(topaz: Path, session: Path, truth) -> None:
    picker = TopazPick(TopazPick.Params(diameter=150, model="resnet8_u32", pixels=24))
    found = picker.process(micrograph(), task(session, topaz))
    assert (found.path, found.micrograph_path, found.diameter) == ("runs/work/coordinates.star", "m.mrc", 150)
    assert (found.height, found.width, found.pixel_size) == (*SHAPE, PIXEL_SIZE)
    assert list((session / "work").iterdir()) == [session / "work" / "coordinates.star"]
    table = read_coordinates_star(session / "work" / "coordinates.star")
    picks = table[["x", "y"]].to_numpy()
    away, nearest = cKDTree(truth[0]).query(picks)
    right = away < 0.3 * 150 / PIXEL_SIZE
    assert len(set(nearest[right])) > 0.9 * len(truth[0])
    assert right.mean() > 0.9
    # Scaled back without an offset.
    assert np.abs((picks - truth[0][nearest])[right].mean(axis=0)).max() < 1.0
    assert table["score"].is_monotonic_decreasing
    assert table["score"].min() > -1
    assert cKDTree(picks).query(picks, k=2)[0][:, 1].min() > 0.6 * 150 / PIXEL_SIZE

    # The same again, but the best ten of another acquisition's diameter.
    again = TopazPick.Params(
        diameter=150, diameters={"grid": 140}, model="resnet8_u32", pixels=22.4, max_per_micrograph=10
    )
    few = TopazPick(again).process(micrograph(), task(session, topaz, "again"))
    assert (few.diameter, few.count) == (140, 10)
    best = read_coordinates_star(session / "again" / "coordinates.star")
    np.testing.assert_array_equal(best[["x", "y"]], picks[:10])
    np.testing.assert_array_equal(best["score"], table["score"][:10])


@pytest.mark.timeout(1200)
def test_a_denoised_micrograph_is_nearer_to_the_truth(topaz: Path, session: Path, truth) -> None:
    denoiser = TopazDenoise(TopazDenoise.Params(model="unet-small"))
    given = micrograph().model_copy(update={"halves_paths": ("a.mrc", "b.mrc"), "spectrum_path": "s.mrc"})
    found = denoiser.process(given, task(session, topaz))
    assert found == given.model_copy(
        update={
            "path": "runs/work/denoised.mrc",
            "thumbnail_path": "runs/work/thumbnail.png",
            "unweighted_path": None,
            "spectrum_path": None,
            "halves_paths": None,
        }
    )
    assert {file.name for file in (session / "work").iterdir()} == {"denoised.mrc", "thumbnail.png"}
    denoised = read_image(session / "work" / "denoised.mrc")
    _, clean, noisy = truth
    assert denoised.shape == clean.shape
    assert abs(denoised.mean() / noisy.mean() - 1) < 0.05

    # Within narrow bands of frequencies no filter could do it: these only weight them.
    for low, high in ((0.01, 0.03), (0.03, 0.06), (0.06, 0.1), (0.1, 0.2)):
        assert likeness(denoised, clean, low, high) > likeness(noisy, clean, low, high) + 0.015


@pytest.mark.timeout(1200)
def test_what_topaz_says_when_it_crashes_is_told(topaz: Path, session: Path) -> None:
    work = task(session, topaz)
    with pytest.raises(ProgramFailed, match=r"topaz 0\.3\.\d+ ended with exit code 1.*No such file"):
        TOPAZ.run(["extract", "-d", "-1", "-r", "5", "missing.mrc"], work, folder=work.folder)


def fake(folder: Path, script: str, version: str = "0.3.20") -> Path:
    folder.mkdir()
    file = folder / "topaz"
    file.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo {version}; exit; fi\n{script}\n')
    file.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("script", "version", "told"),
    [
        ("echo 'torch: no CUDA'; exit 3", "0.3.20", "topaz 0.3.20 ended with exit code 3.*torch: no CUDA"),
        ("exit", "0.2.5", "is version 0.2.5, but >=0.3,<0.4 is needed.*eucentric-topaz install"),
        ("exit", "0.3.20", "ended well but did not write (picks.txt|denoised/image.mrc)"),
    ],
)
@pytest.mark.parametrize("protocol", [TopazPick(TopazPick.Params(diameter=150)), TopazDenoise()])
def test_failures_are_told(session: Path, protocol, script: str, version: str, told: str) -> None:
    with pytest.raises(ProgramFailed, match=told):
        protocol.process(micrograph(), task(session, fake(session / "bin", script, version)))


def test_where_topaz_comes_from_is_told(session: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"topaz was not found at .*`eucentric-topaz install` makes"):
        TopazDenoise().process(micrograph(), task(session, session / "nowhere"))


def test_a_full_disk_is_told_as_such(session: Path) -> None:
    full = fake(session / "bin", "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1")
    with pytest.raises(NoSpaceForProgram, match=r"topaz 0\.3\.20 found no space to write"):
        TopazDenoise().process(micrograph(), task(session, full))


@pytest.mark.parametrize(
    "text", ["", "image_name\tx\n", "image_name\tx_coord\ty_coord\tscore\nm\t1\t2\ta\n", "\0\n"]
)
def test_other_tables_are_no_picks(tmp_path: Path, text: str) -> None:
    (tmp_path / "picks.txt").write_text(text)
    with pytest.raises(ProgramFailed, match=r"topaz 0\.3\.20 wrote no table of image_name, x_coord"):
        read_picks(tmp_path / "picks.txt", "0.3.20")


def test_no_picks_are_an_empty_table_and_scores_are_finite(tmp_path: Path) -> None:
    header = "image_name\tx_coord\ty_coord\tscore\n"
    (tmp_path / "picks.txt").write_text(header)
    assert read_picks(tmp_path / "picks.txt", "0.3.20").empty
    (tmp_path / "picks.txt").write_text(header + "m\t1\t2\tnan\n")
    with pytest.raises(ProgramFailed, match="not finite"):
        read_picks(tmp_path / "picks.txt", "0.3.20")
