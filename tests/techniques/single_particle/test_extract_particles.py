"""Extraction, against what is known of the images and against RELION's own extraction."""

import subprocess

import numpy as np
import pandas as pd
import pytest
import torch

from eucentric.engine.protocol import Rejected, Task
from eucentric.formats import (
    StarMicrograph,
    StarOptics,
    open_frames,
    read_image,
    read_particles_star,
    write_coordinates_star,
    write_micrographs_star,
    write_mrc,
)
from eucentric.imaging import CTFOptics, fourier
from eucentric.imaging.extraction import flip_phases
from eucentric.metadata import CTF, Coordinates, Micrograph
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF
from eucentric.techniques.single_particle.extract_particles import ExtractParticles
from imaging_truth import tilted_noise
from outside_programs import require_relion

SIZE, PIXEL, DIAMETER = 512, 2.0, 80.0
OPTICS = {"pixel_size": PIXEL, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
DEFOCUS = {"defocus_u": 15_000, "defocus_v": 14_500, "defocus_angle": 25}
POSITIONS = [(100.0, 120.0), (200.4, 300.4), (250.5, 90.5), (333.6, 401.2), (480.0, 20.0), (29.0, 29.0)]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A micrograph of smooth noise on a slope, with particles to be picked at some positions."""
    folder = tmp_path_factory.mktemp("session")
    noise = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    x, y = fourier.frequencies((SIZE, SIZE))
    smooth = fourier.irfft2(fourier.rfft2(noise) * torch.exp(-30 * (x**2 + y**2)), (SIZE, SIZE))
    slope = torch.linspace(0, 2, SIZE)[:, None] + torch.linspace(0, 3, SIZE)[None, :]
    write_mrc(folder / "m.mrc", (smooth + slope + 100).numpy(), PIXEL)
    pick(folder, POSITIONS)
    return folder


def pick(folder, positions):
    table = pd.DataFrame(positions, columns=["x", "y"]).assign(score=np.arange(len(positions)) / 2)
    write_coordinates_star(folder / "m_pick.star", table)


def extract(session, name="extract", **params):
    folder = session / name
    folder.mkdir(exist_ok=True)
    task = Task(key=("a", "m"), folder=folder, destination=name, session=session)
    micrograph = Micrograph(path="m.mrc", height=SIZE, width=SIZE, **OPTICS)
    ctf = CTF(
        micrograph_path="m.mrc", diagnostic_path="m.png", resolution=4.0, score=0.9, **DEFOCUS, **OPTICS
    )
    coordinates = Coordinates(
        path="m_pick.star",
        micrograph_path="m.mrc",
        count=6,
        diameter=DIAMETER,
        height=SIZE,
        width=SIZE,
        pixel_size=PIXEL,
    )
    found = ExtractParticles(ExtractParticles.Params(**params)).process(micrograph, ctf, coordinates, task)
    return found, images_of(session / found.stack_path)


def images_of(path):
    with open_frames(path) as stack:
        return np.stack([frame.astype(np.float32) for frame in stack])


def relion_extract(session, particles, *options):
    """Extract the particles of a table with RELION; their images."""
    require_relion()
    group = StarOptics(1, "opticsGroup1", 300, 2.7, 0.1, PIXEL, PIXEL)
    row = StarMicrograph("m.mrc", ctf_path="m.ctf", astigmatism=500.0, **DEFOCUS)
    write_micrographs_star(session / "micrographs_ctf.star", [group], [row])
    _, table = read_particles_star(session / particles.path)
    write_coordinates_star(session / "m_relion.star", table[["x", "y", "score"]])
    command = [
        "relion_preprocess",
        "--i",
        "micrographs_ctf.star",
        "--coord_dir",
        "./",
        "--coord_suffix",
        "_relion.star",
    ]
    command += ["--part_dir", "relion/", "--part_star", "relion/particles.star", "--extract", "--norm"]
    subprocess.run([*command, "--invert_contrast", *options], cwd=session, check=True, capture_output=True)
    return images_of(session / "relion" / "m.mrcs")


def test_images_are_those_of_relion(session):
    particles, ours = extract(session, box=60)
    theirs = relion_extract(session, particles, "--extract_size", "60", "--bg_radius", "20")
    assert ours.shape == theirs.shape == (4, 60, 60)
    assert np.abs(ours - theirs).max() < 1e-4


def test_images_without_slope_and_smaller_are_those_of_relion(session):
    particles, ours = extract(session, box=64, particle_pixel_size=3.2, ramp=False)
    options = ("--extract_size", "64", "--scale", "40", "--bg_radius", "12", "--no_ramp")
    theirs = relion_extract(session, particles, *options)
    assert particles.pixel_size == pytest.approx(3.2)
    assert ours.shape == theirs.shape == (4, 40, 40)
    # RELION keeps the Nyquist frequency, whose sign is lost.
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999


def test_flipped_images_are_what_relion_comes_to_with_larger_and_larger_boxes(tmp_path):
    noise = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    write_mrc(tmp_path / "m.mrc", noise.numpy(), PIXEL)
    pick(tmp_path, [(200, 200), (256, 256), (300, 210)])
    particles, ours = extract(tmp_path, box=60, phase_flip=True)
    likeness = []
    for size in ("60", "180", "360"):  # RELION flips the signs in boxes of this size
        options = ("--extract_size", "60", "--bg_radius", "20", "--phase_flip")
        theirs = relion_extract(tmp_path, particles, *options, "--premultiply_extract_size", size)
        likeness.append(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])
    assert particles.phase_flipped
    assert likeness == sorted(likeness)
    assert likeness[-1] > 0.93


def test_rows_tell_where_images_come_from_and_what_is_known_of_them(session):
    particles, images = extract(session)
    (optics,), rows = read_particles_star(session / particles.path)
    assert particles.count == len(rows) == len(images)
    assert particles.box == optics.box == images.shape[-1] == 60  # 1.5 · 80 Å / 2 Å
    assert optics.pixel_size == PIXEL
    assert rows["x"].tolist() == [100, 200, 251, 334]  # whole pixels; the others' boxes reach over the edge
    assert rows["score"].tolist() == [0, 0.5, 1, 1.5]
    assert rows["image"].tolist() == [f"{n:06d}@extract/particles.mrcs" for n in (1, 2, 3, 4)]
    assert set(rows["micrograph_path"]) == {"m.mrc"}
    assert rows["defocus_v"].tolist() == [14_500] * 4


def test_the_background_has_mean_0_and_deviation_1(session):
    _, images = extract(session)
    axis = np.arange(60) - 30
    outside = np.hypot(axis[:, None], axis[None, :]) > DIAMETER / 2 / PIXEL
    assert np.allclose(images[:, outside].mean(axis=1), 0, atol=1e-4)
    assert np.allclose(images[:, outside].std(axis=1), 1, atol=1e-4)


def test_half_precision_is_half_the_size(session):
    _, whole = extract(session)
    particles, half = extract(session, "half", float16=True)
    assert np.allclose(half, whole, atol=5e-3)
    assert (session / particles.stack_path).stat().st_size == 1024 + 2 * half.size


def test_a_micrograph_without_particles_is_rejected(session, tmp_path):
    (tmp_path / "m.mrc").symlink_to(session / "m.mrc")
    pick(tmp_path, [(10.0, 10.0)])
    with pytest.raises(Rejected, match="none of the 1 particles has its box of 60 px"):
        extract(tmp_path)
    pick(tmp_path, [])
    with pytest.raises(Rejected, match="no particles were picked"):
        extract(tmp_path)


def test_a_box_without_background_is_refused(session):
    with pytest.raises(ValueError, match="take a larger box"):
        extract(session, box=40)


@pytest.fixture(scope="module")
def tilted(tmp_path_factory):
    """A micrograph tilted by 40° about an axis at 20°, and what is extracted from it."""
    folder = tmp_path_factory.mktemp("tilted")
    image = tilted_noise(1024, PIXEL, defocus=(15_000, 15_000, 0), tilt=40, axis=20, signal=1, seed=1)
    write_mrc(folder / "m.mrc", image.numpy(), PIXEL)
    pick(folder, [(x, y) for x in (100, 512, 900) for y in (120, 512, 880)])
    task = Task(key=("a", "m"), folder=folder, destination=".", session=folder)
    micrograph = Micrograph(path="m.mrc", height=1024, width=1024, **OPTICS)
    ctf = EstimateCTF().process(micrograph, None, task)
    coordinates = Coordinates(
        path="m_pick.star", micrograph_path="m.mrc", count=9, diameter=DIAMETER, height=1024, width=1024,
        pixel_size=PIXEL,
    )  # fmt: skip

    def extract_tilted(**params):
        params = ExtractParticles.Params(**params)
        return ExtractParticles(params).process(micrograph, ctf, coordinates, task)

    return folder, ctf, extract_tilted


def test_particles_of_a_tilted_specimen_have_the_defocus_of_their_place(tilted):
    folder, ctf, extract_tilted = tilted
    _, rows = read_particles_star(folder / extract_tilted().path)
    centre = (1024 - 1) / 2
    way = np.radians(20 + 90)
    along = (rows["x"] - centre) * np.cos(way) + (rows["y"] - centre) * np.sin(way)
    truth = 15_000 + np.tan(np.radians(40)) * along * PIXEL
    assert np.ptp(truth) > 1_500
    defocus = (rows["defocus_u"] + rows["defocus_v"]) / 2
    assert np.abs(defocus - truth).max() < 60
    assert np.allclose(rows["defocus_u"] - rows["defocus_v"], ctf.astigmatism)


def test_phases_are_flipped_for_the_defocus_of_the_place(tilted):
    """Against flipping a wide box around each particle for its own defocus."""
    folder, ctf, extract_tilted = tilted
    particles = extract_tilted(phase_flip=True, ramp=False, box=64)
    _, rows = read_particles_star(folder / particles.path)
    ours = images_of(folder / particles.stack_path)
    whole = torch.from_numpy(read_image(folder / "m.mrc").copy())
    optics = CTFOptics(300, 2.7, 0.1)
    own, flat = [], []
    for row, image in zip(rows.itertuples(), ours, strict=True):
        for defocus, likeness in ((row.defocus_u, own), (ctf.defocus_u, flat)):
            flipped = flip_phases(
                whole,
                PIXEL,
                optics,
                defocus_u=defocus,
                defocus_v=defocus - ctf.astigmatism,
                defocus_angle=row.defocus_angle,
            )
            box = flipped[int(row.y) - 32 : int(row.y) + 32, int(row.x) - 32 : int(row.x) + 32]
            likeness.append(-np.corrcoef(box.numpy().ravel(), image.ravel())[0, 1])
    # A step of 100 Å in defocus is within what a defocus is known to; hundreds are not.
    assert np.mean(own) > 0.93
    assert np.mean(flat) < 0.8
