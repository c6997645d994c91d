"""A simulated session with a phase plate: the trend, and the second fit of what is uncertain."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from eucentric.engine.protocol import Task
from eucentric.engine.registry import Registry
from eucentric.engine.worker import threads
from eucentric.engine.workflow import compile_workflow, read_workflow
from eucentric.formats import write_mrc
from eucentric.metadata import CTF, ExposureMetadata, Micrograph, Movie, PhaseTrend
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF
from eucentric.techniques.single_particle.phase_trend import FollowPhaseShift, read_trend
from eucentric.techniques.single_particle.refit_phase_shift import RefitPhaseShift
from imaging_truth import transferred_noise

SIZE, PIXEL = 512, 1.5
OPTICS = {"pixel_size": PIXEL, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}
Entry = FollowPhaseShift.Entry


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    with threads(1):
        yield
    torch.set_num_threads(before)


def task(session, name):
    folder = session / name
    folder.mkdir(exist_ok=True)
    return Task(key=("a", name), folder=folder, destination=name, session=session)


def movie(number):
    return Movie(
        **OPTICS, path=f"{number}.tiff", bytes=1, modified=1000.0 + 60 * number, frames=4, height=SIZE,
        width=SIZE, dose_per_frame=1,
    )  # fmt: skip


def entry(number, phase, error=3.0, confidence=0.99, metadata=None):
    ctf = CTF(
        **OPTICS, micrograph_path=f"{number}.mrc", diagnostic_path="c.png", defocus_u=1e4, defocus_v=1e4,
        defocus_angle=0, phase_shift=phase, phase_shift_error=error, resolution=4, score=0.5,
        confidence=confidence,
    )  # fmt: skip
    return Entry(ctf, movie(number), metadata)


def follow(session, state, added, removed=(), name="trend"):
    return FollowPhaseShift().update(state, added, removed, task(session, name))


def test_batches_come_to_the_same_trend_in_whatever_order(tmp_path):
    entries = [entry(number, 30 + number + number % 3) for number in range(30)]
    once = follow(tmp_path, None, entries, name="once")[1]
    state, _ = follow(tmp_path, None, entries[20:] + entries[:5], name="one")
    state, _ = follow(tmp_path, state, [*entries[5:20], entry(40, 90)], name="two")
    state, late = follow(tmp_path, state, [], [entry(40, 90)], name="three")
    assert (tmp_path / late.path).read_text() == (tmp_path / once.path).read_text()
    assert (late.exposures, late.positions) == (30, 1)
    assert late.phase_shift == pytest.approx(60, abs=3)
    assert late.interval == 60
    assert follow(tmp_path, state, [], entries, name="empty")[1] == PhaseTrend(
        path=None, exposures=0, positions=0
    )


def test_what_was_not_fitted_or_not_trusted_takes_no_part_and_the_microscopes_clock_counts(tmp_path):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    stated = ExposureMetadata(path="m.xml", bytes=1, modified=0, recorded=when)
    entries = [
        entry(1, 30),
        entry(2, 35, error=None),
        entry(3, 90, confidence=0.1),
        entry(4, 32, metadata=stated),
    ]
    _, trend = follow(tmp_path, None, entries)
    assert read_trend(tmp_path / trend.path)["micrograph"].tolist() == ["1.mrc", "4.mrc"]
    assert trend.last == when.timestamp()


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """Micrographs on two positions of a plate, every third of them weak; truth, fits and the trend."""
    session = tmp_path_factory.mktemp("plate")
    random = np.random.default_rng(5)
    params = EstimateCTF.Params(fit_phase_shift=True, max_resolution=4)
    truth, micrographs, fits = [], [], []
    for number in range(18):
        phase = (40 if number < 9 else 95) + 1.5 * (number % 9)
        defocus = random.uniform(8_000, 14_000)
        signal = 0.28 if number % 3 == 1 else 1.0
        image = transferred_noise(
            SIZE,
            PIXEL,
            defocus=(defocus + 60, defocus - 60, 30),
            signal=signal,
            seed=number,
            phase_shift=phase,
        )
        write_mrc(session / f"{number}.mrc", image.numpy(), PIXEL)
        micrograph = Micrograph(path=f"{number}.mrc", height=SIZE, width=SIZE, **OPTICS)
        fits.append(EstimateCTF(params).process(micrograph, None, task(session, f"ctf{number}")))
        truth.append((phase, defocus))
        micrographs.append(micrograph)
    entries = [Entry(ctf, movie(number), None) for number, ctf in enumerate(fits)]
    _, trend = follow(session, None, entries)
    return session, np.array(truth), micrographs, fits, trend


def errors(ctfs, truth):
    phases = np.array([ctf.phase_shift for ctf in ctfs])
    return (phases - truth[:, 0] + 90) % 180 - 90, np.array([ctf.defocus for ctf in ctfs]) - truth[:, 1]


def test_errors_of_single_phase_shifts_are_told(plate):
    _, truth, _, fits, _ = plate
    found, _ = errors(fits, truth)
    told = np.array([ctf.phase_shift_error for ctf in fits])
    strong = np.arange(18) % 3 != 1
    assert told[~strong].mean() > 1.7 * told[strong].mean()
    assert 0.4 < np.sqrt(np.mean((found / told)[strong] ** 2)) < 1.8


def test_uncertain_phase_shifts_are_fitted_again_near_the_trend(plate):
    session, truth, micrographs, fits, trend = plate
    assert trend.positions == 2
    protocol = RefitPhaseShift(RefitPhaseShift.Params(max_resolution=4))
    again = [
        protocol.process(micrograph, ctf, trend, movie(number), None, task(session, f"again{number}"))
        for number, (micrograph, ctf) in enumerate(zip(micrographs, fits, strict=True))
    ]
    changed = np.array([ctf.expected_phase_shift is not None for ctf in again])
    weak = np.arange(18) % 3 == 1
    assert changed[weak].all()
    assert not changed[~weak].any()
    assert all(new is old for new, old, moved in zip(again, fits, changed, strict=True) if not moved)
    (before, defocus_before), (after, defocus_after) = errors(fits, truth), errors(again, truth)
    assert np.sqrt(np.mean(after[weak] ** 2)) < 0.5 * np.sqrt(np.mean(before[weak] ** 2))
    assert np.abs(after[weak]).max() < 8
    assert np.median(np.abs(defocus_after[weak])) < np.median(np.abs(defocus_before[weak]))
    told = np.array([ctf.phase_shift_error for ctf in again])
    assert told[weak].max() < 6


def test_a_clear_spectrum_overrules_what_is_expected(plate):
    session, truth, micrographs, fits, trend = plate
    table = read_trend(session / trend.path).assign(expected=150.0, trend=150.0, expected_error=4.0)
    (session / "wrong.json").write_text(json.dumps({name: list(column) for name, column in table.items()}))
    wrong = trend.model_copy(update={"path": "wrong.json"})
    protocol = RefitPhaseShift(RefitPhaseShift.Params(max_resolution=4))
    again = protocol.process(micrographs[2], fits[2], wrong, movie(2), None, task(session, "overruled"))
    assert again.phase_shift == pytest.approx(truth[2, 0], abs=10)
    assert again.expected_phase_shift == 150


def test_an_exposure_after_the_last_is_expected_to_go_on(plate):
    session, _, micrographs, fits, trend = plate
    stranger = fits[10].model_copy(update={"micrograph_path": "x.mrc", "phase_shift_error": 30.0})
    protocol = RefitPhaseShift(RefitPhaseShift.Params(max_resolution=4))
    again = protocol.process(micrographs[17], stranger, trend, movie(18), None, task(session, "next"))
    assert again.expected_phase_shift == pytest.approx(trend.phase_shift, abs=1e-3)
    nothing = PhaseTrend(path=None, exposures=0, positions=0)
    assert (
        protocol.process(micrographs[17], stranger, nothing, movie(18), None, task(session, "none"))
        is stranger
    )


def test_the_example_workflow_is_wired_rightly():
    workflow = read_workflow(Path(__file__).parents[3] / "examples" / "phase_plate.json")
    movies = workflow.runs["movies"].model_copy(update={"params": {"folders": ["/data"]}})
    filled = workflow.model_copy(update={"runs": workflow.runs | {"movies": movies}})
    assert set(compile_workflow(filled, Registry())) == set(workflow.runs)
