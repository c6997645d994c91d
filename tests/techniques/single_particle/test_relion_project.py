"""The exported project, with the real programs of RELION."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from eucentric.engine.protocol import Task
from eucentric.formats import (
    FrameShifts,
    open_frames,
    read_image,
    read_info,
    read_micrographs_star,
    read_movies_star,
    read_particles_star,
    read_shifts_star,
    read_star,
    write_mrc,
    write_shifts_star,
)
from eucentric.imaging.image_formation import ImagingConditions, contrast_spectrum
from eucentric.imaging.specimen import project_molecules, random_orientations
from eucentric.metadata import CTF, Gain, Micrograph, Movie
from eucentric.microscope.simulate import groel
from eucentric.techniques.single_particle.extract_particles import ExtractParticles
from eucentric.techniques.single_particle.pick_particles import PickParticles
from eucentric.techniques.single_particle.relion_exposures import ExportedExposure
from eucentric.techniques.single_particle.relion_project import (
    ProjectExists,
    write_relion_project,
)
from outside_programs import require_relion

SIZE, PIXEL, DIAMETER = 768, 3.0, 150.0
OPTICS = {"voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
IMAGES = {"pixel_size": PIXEL, **OPTICS}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    (folder / "data").mkdir()
    return folder


@pytest.fixture(scope="module")
def exposures(session):
    """Three micrographs of GroEL, picked and extracted, and what is known of them."""
    return [exposure(session, number) for number in (1, 2, 3)]


def exposure(session: Path, number: int) -> ExportedExposure:
    name = f"m {number}"  # with a space, which RELION cannot have in a name
    defocus = 14_000 + 2_000 * number
    folder = session / "runs" / name
    folder.mkdir(parents=True)
    write_mrc(folder / "sum.mrc", micrograph_of_groel(number, defocus), PIXEL)
    write_mrc(folder / "spectrum.mrc", np.ones((64, 64), np.float32), PIXEL)
    movie_path = f"data/{name}.mrc"
    write_mrc(session / movie_path, np.zeros((2, 16, 16), np.int8), PIXEL / 2)
    shifts = FrameShifts(movie_path, 2, 16, 16, PIXEL / 2, 300, 1, 0, np.zeros((2, 2)), binning=2)
    write_shifts_star(folder / "shifts.star", shifts)
    micrograph = Micrograph(
        path=f"runs/{name}/sum.mrc",
        height=SIZE,
        width=SIZE,
        shifts_path=f"runs/{name}/shifts.star",
        spectrum_path=f"runs/{name}/spectrum.mrc",
        motion_total=3.0 * number,
        motion_early=2.0 * number,
        motion_late=1.0 * number,
        **IMAGES,
    )
    ctf = CTF(
        micrograph_path=micrograph.path,
        diagnostic_path="none.png",
        defocus_u=defocus,
        defocus_v=defocus,
        defocus_angle=0,
        resolution=6.5,
        score=0.8,
        **IMAGES,
    )
    movie = Movie(
        path=movie_path,
        bytes=1,
        modified=0,
        frames=2,
        height=16,
        width=16,
        dose_per_frame=1,
        **(IMAGES | {"pixel_size": PIXEL / 2}),
    )
    write_mrc(session / "data" / "gain.mrc", np.arange(1, 257, dtype=np.float32).reshape(16, 16), None)
    gain = Gain(path="data/gain.mrc", rotation=180)
    task = Task(key=("grid 1", name), folder=folder, destination=f"runs/{name}", session=session)
    coordinates = PickParticles(PickParticles.Params(diameter=DIAMETER)).process(micrograph, task)
    particles = ExtractParticles().process(micrograph, ctf, coordinates, task)
    return ExportedExposure(("grid 1", name), micrograph, ctf, movie, coordinates, particles, gain)


def micrograph_of_groel(seed: int, defocus: float):
    rng = np.random.default_rng(seed)
    centres = np.stack(np.meshgrid(np.arange(80, SIZE - 60, 85), np.arange(80, SIZE - 60, 85)), -1)
    centres = centres.reshape(-1, 2) + rng.uniform(-8, 8, (centres.size // 2, 2))
    orientations = random_orientations(len(centres), rng)
    potential = project_molecules(groel(), orientations, centres.astype(np.float32), (SIZE, SIZE), PIXEL)
    optics = ImagingConditions(PIXEL, 300, 2.7, 0.1, defocus, defocus, 0, 80)
    image = 1 + scipy.fft.irfft2(contrast_spectrum(potential, optics), s=potential.shape)
    return rng.poisson(np.maximum(30 * PIXEL**2 * image, 0)).astype(np.float32)


@pytest.fixture(scope="module")
def project(session, exposures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "project"
    fractions: list[float] = []
    count = write_relion_project(folder, session, exposures, progress=fractions.append)
    assert count == sum(each.particles.count for each in exposures) > 150
    assert fractions == [pytest.approx((n + 1) / 3) for n in range(3)]
    assert list(folder.parent.iterdir()) == [folder]
    return folder


def relion(project: Path, program: str, *arguments: str) -> str:
    require_relion()
    done = subprocess.run([program, *arguments], cwd=project, capture_output=True, text=True, check=True)
    assert "ERROR" not in done.stderr
    return done.stdout


def test_tables_name_files_that_are_in_the_project(project):
    _, movies = read_movies_star(project / "Import/job001/movies.star")
    (group,), micrographs = read_micrographs_star(project / "CtfFind/job003/micrographs_ctf.star")
    assert (group.movie_pixel_size, group.pixel_size) == (PIXEL / 2, PIXEL)
    assert [each.path for each in movies] == [f"Movies/grid_1/m_{n}.mrc" for n in (1, 2, 3)]
    for n, row in enumerate(micrographs, start=1):
        assert row.path == f"MotionCorr/job002/micrographs/grid_1/m_{n}.mrc"
        info = read_info(project / row.path)
        assert (info.height, info.width) == (SIZE, SIZE)
        assert read_shifts_star(project / row.shifts_path).movie_path == movies[n - 1].path
        gain = read_image(project / read_shifts_star(project / row.shifts_path).gain_path)
        assert gain[0, 0] / gain[-1, -1] == pytest.approx(256)  # turned as the movies lie
        assert row.motion_total == pytest.approx(3 * n)
        assert (project / row.ctf_path.removesuffix(":mrc")).is_file()
        assert (project / movies[n - 1].path).is_file()
    (optics,), particles = read_particles_star(project / "Extract/job005/particles.star")
    assert (optics.pixel_size, optics.box) == (PIXEL, 80)
    assert set(particles["micrograph_path"]) == {row.path for row in micrographs}
    assert particles["image"][0] == "000001@Extract/job005/micrographs/grid_1/m_1.mrcs"


def test_relion_knows_the_jobs_as_done(project, tmp_path):
    shutil.copytree(project, tmp_path / "p", symlinks=True)
    relion(tmp_path / "p", "relion_pipeliner", "--check_job_completion")
    options = "fn_img == Extract/job005/particles.star;nr_classes == 2"
    relion(tmp_path / "p", "relion_pipeliner", "--addJob", "Class2D", "--addJobOptions", options)
    pipeline = read_star(tmp_path / "p" / "default_pipeline.star")
    processes = pipeline["pipeline_processes"]
    assert processes["rlnPipeLineProcessName"].tolist() == [
        "Import/job001/",
        "MotionCorr/job002/",
        "CtfFind/job003/",
        "AutoPick/job004/",
        "Extract/job005/",
        "Class2D/job006/",
    ]
    assert processes["rlnPipeLineProcessStatus"].tolist()[:5] == [2] * 5  # finished
    edges = pipeline["pipeline_input_edges"]
    taken = edges[edges["rlnPipeLineEdgeProcess"] == "Class2D/job006/"]
    assert taken["rlnPipeLineEdgeFromNode"].tolist() == ["Extract/job005/particles.star"]


def test_relion_reads_the_particles(project, tmp_path):
    table = "Extract/job005/particles.star"
    out = str(tmp_path / "checked.star")
    relion(
        project, "relion_star_handler", "--i", table, "--o", out, "--check_duplicates", "--image_angpix", "3"
    )
    _, given = read_particles_star(project / table)
    _, read = read_particles_star(out)
    assert len(read) == len(given)


def test_relion_extracts_the_same_particles_from_the_exported_micrographs(project, tmp_path):
    given = read_particles_star(project / "Extract/job005/particles.star")[1]
    command = ["--i", "CtfFind/job003/micrographs_ctf.star", "--coord_dir", "AutoPick/job004/"]
    command += ["--coord_suffix", "_autopick.star", "--part_dir", f"{tmp_path}/", "--extract", "--norm"]
    command += ["--part_star", f"{tmp_path}/particles.star", "--extract_size", "80", "--bg_radius", "25"]
    relion(project, "relion_preprocess", *command, "--invert_contrast")
    _, again = read_particles_star(tmp_path / "particles.star")
    assert len(given) <= len(again)
    rows = {(row.micrograph_path, round(row.x), round(row.y)): row.image for row in again.itertuples()}
    likeness = []
    for row in given.iloc[::7].itertuples():
        theirs = rows[row.micrograph_path, round(row.x), round(row.y)]
        likeness.append(np.corrcoef(image(project, row.image).ravel(), image(project, theirs).ravel())[0, 1])
    assert min(likeness) > 0.999


def image(project: Path, name: str):
    number, _, stack = name.partition("@")
    with open_frames(project / stack) as frames:
        return next(iter(frames.read(int(number) - 1, int(number)))).astype(np.float32)


def test_relion_classifies_the_particles(project, tmp_path):
    command = [
        "--i",
        "Extract/job005/particles.star",
        "--o",
        str(tmp_path / "run"),
        "--K",
        "2",
        "--iter",
        "3",
    ]
    command += [
        "--ctf",
        "--tau2_fudge",
        "2",
        "--particle_diameter",
        "180",
        "--zero_mask",
        "--norm",
        "--scale",
    ]
    command += ["--psi_step", "24", "--offset_range", "3", "--offset_step", "2", "--random_seed", "1"]
    relion(project, "relion_refine", *command, "--dont_combine_weights_via_disc", "--pad", "1")
    with open_frames(tmp_path / "run_it003_classes.mrcs") as classes:
        means = np.stack(list(classes))
    assert means.shape == (2, 80, 80)
    axis = np.arange(80) - 40
    radius = np.hypot(axis[:, None], axis[None, :]) * PIXEL
    for mean in means:
        assert mean[radius < 60].mean() > 3 * abs(mean[(radius > 85) & (radius < 115)].mean())  # white


def test_an_export_is_not_overwritten_unless_asked_for(project, session, exposures, tmp_path):
    with pytest.raises(ProjectExists, match="--update"):
        write_relion_project(project, session, exposures)
    folder = tmp_path / "p"
    write_relion_project(folder, session, exposures[:1])
    (folder / "Class2D" / "job006").mkdir(parents=True)
    mark = (folder / "default_pipeline.star").read_text()
    write_relion_project(folder, session, exposures, update=True)
    assert (folder / "Class2D" / "job006").is_dir()
    assert (folder / "default_pipeline.star").read_text() == mark
    assert len(read_micrographs_star(folder / "CtfFind/job003/micrographs_ctf.star")[1]) == 3
    assert sorted(each.name for each in tmp_path.iterdir()) == ["p"]
    (tmp_path / "other").mkdir()
    with pytest.raises(ProjectExists, match="no RELION project"):
        write_relion_project(tmp_path / "other", session, exposures, update=True)


def test_nothing_is_left_of_an_export_that_fails(session, exposures, tmp_path):
    gone = exposures[0].micrograph.model_copy(update={"path": "runs/gone.mrc"})
    with pytest.raises(FileNotFoundError):
        write_relion_project(tmp_path / "p", session, [replace(exposures[0], micrograph=gone)])
    assert list(tmp_path.iterdir()) == []


def test_half_precision_becomes_single_and_copies_are_no_links(session, exposures, tmp_path):
    first = exposures[0]
    with open_frames(session / first.particles.stack_path) as frames:
        write_mrc(session / "half.mrcs", (frame.astype(np.float16) for frame in frames), PIXEL)
    half = replace(first, particles=first.particles.model_copy(update={"stack_path": "half.mrcs"}))
    write_relion_project(tmp_path / "p", session, [half], copy=True)
    stack = tmp_path / "p" / "Extract/job005/micrographs/grid_1/m_1.mrcs"
    assert read_info(stack).dtype == np.float32
    assert not any(file.is_symlink() for file in (tmp_path / "p").rglob("*"))


def test_micrographs_without_movies_and_particles_make_a_project_too(session, exposures, tmp_path):
    bare = [replace(each, movie=None, coordinates=None, particles=None) for each in exposures]
    assert write_relion_project(tmp_path / "p", session, bare) == 0
    processes = read_star(tmp_path / "p" / "default_pipeline.star")["pipeline_processes"]
    assert processes["rlnPipeLineProcessName"].tolist() == ["MotionCorr/job002/", "CtfFind/job003/"]
    with pytest.raises(ValueError, match="nothing to export"):
        write_relion_project(tmp_path / "q", session, [])
