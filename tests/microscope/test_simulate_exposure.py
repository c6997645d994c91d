"""Simulated exposures: their statistics, their motion and their rings are what the truth says."""

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
import torch

from eucentric.imaging.ctf import contrast_transfer
from eucentric.microscope.simulate import (
    SimulationSettings,
    clean_micrograph,
    draw_exposure,
    groel,
    make_camera,
    record_movie,
)
from eucentric.microscope.simulate.exposure import particles_in_frame
from eucentric.microscope.simulate.motion import local_field

SETTINGS = SimulationSettings(
    width=320, height=256, frames=6, pixel_size=2, particles=3, dose=30, hot_pixels=0, dead_columns=0
)


def _record(settings: SimulationSettings, number: int = 1) -> np.ndarray:
    camera = make_camera(settings)
    frames = np.array(list(record_movie(settings, draw_exposure(settings, number), camera)))
    return (frames * camera.gain).astype(np.float32)


def _moved_by(image: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Displacement (x, y) of `image`: the peak of its correlation on a grid of 1/10 px."""
    cross = scipy.fft.fft2(image) * np.conj(scipy.fft.fft2(reference))
    cross[0, 0] = 0
    frequency_y, frequency_x = (np.fft.fftfreq(n) for n in image.shape)
    steps = np.arange(-12, 12.05, 0.1)
    wave_x = np.exp(2j * np.pi * np.outer(frequency_x, steps))
    wave_y = np.exp(2j * np.pi * np.outer(steps, frequency_y))
    peaks = (wave_y @ cross @ wave_x).real
    y, x = np.unravel_index(peaks.argmax(), peaks.shape)
    return float(steps[x]), float(steps[y])


def test_groel_is_whole() -> None:
    molecule = groel()
    assert sum(len(positions) for positions in molecule.positions.values()) == 55_552
    assert 80 < molecule.radius < 110


def test_mean_counts_are_the_dose() -> None:
    corrected = _record(SETTINGS)
    electrons = SETTINGS.dose_per_frame * SETTINGS.pixel_size**2
    # The cut-out of a larger image need not have its mean contrast, so half a per cent is allowed.
    assert corrected.mean() == pytest.approx(electrons, rel=0.005)
    noise = np.diff(corrected, axis=0).var() / 2
    assert noise == pytest.approx(electrons, rel=0.05)


def test_gain_correction_removes_the_pattern() -> None:
    settings = SETTINGS.model_copy(
        update={"gain_variation": 0.1, "frames": 60, "dose": 300, "faults": {1: "empty"}}
    )
    camera = make_camera(settings)
    frames = np.array(list(record_movie(settings, draw_exposure(settings, 1), camera)))
    raw = frames.mean(axis=0)
    pattern = (1 / camera.gain).reshape(-1)
    assert np.corrcoef(raw.reshape(-1), pattern)[0, 1] > 0.7
    # What the reference left behind would correlate with it; noise of weight 1/√n does not.
    residue = np.corrcoef((raw * camera.gain).reshape(-1), pattern)[0, 1]
    assert abs(residue) < 5 / np.sqrt(raw.size)


def test_defects_are_where_the_camera_says() -> None:
    settings = SETTINGS.model_copy(update={"hot_pixels": 15, "dead_columns": 2})
    camera = make_camera(settings)
    mean = np.mean(list(record_movie(settings, draw_exposure(settings, 1), camera)), axis=0)
    assert (mean[:, camera.dead_columns] == 0).all()
    assert (camera.gain[:, camera.dead_columns] == 0).all()
    hot = {(int(x), int(y)) for x, y in camera.hot}
    rows, columns = np.nonzero(mean > mean.mean() + 30)
    assert hot == {(int(x), int(y)) for x, y in zip(columns, rows, strict=True)}


def test_frames_are_displaced_as_the_truth_says() -> None:
    settings = SETTINGS.model_copy(
        update={"width": 512, "height": 512, "particles": 12, "dose": 120, "local_motion": 0.0}
        | {"early_motion": 20.0, "b_factor": 200}
    )
    truth = draw_exposure(settings, 2).motion.shifts / settings.pixel_size
    reference = clean_micrograph(settings, 2).image
    assert np.abs(truth).max() > 1
    assert (truth[0] == 0).all()
    found = [_moved_by(frame, reference) for frame in _record(settings, 2)]
    np.testing.assert_allclose(found, truth, atol=0.25)


def test_motion_within_the_field_is_as_the_truth_says() -> None:
    settings = SETTINGS.model_copy(
        update={
            "width": 768,
            "height": 256,
            "particles": 14,
            "dose": 120,
            "frames": 12,
            "local_motion": 10.0,
            "early_motion": 0.0,
            "late_motion": 0.0,
            "b_factor": 200,
        }
    )
    exposure = draw_exposure(settings, 1)
    clean = clean_micrograph(settings, 1)
    last = _record(settings)[-4:].mean(axis=0)
    course = exposure.motion.course[-4:].mean()
    rows, columns = np.mgrid[:256, :768].astype(np.float32)

    def likeness(part_of_motion: float) -> float:
        """Correlation of the last frames with the clean image, each point moved by a part of its motion."""
        x, y = np.moveaxis(clean.local_motion * part_of_motion * course, -1, 0)
        moved = scipy.ndimage.map_coordinates(clean.image, (rows - y, columns - x), order=1)
        inner = (slice(10, -10), slice(10, -10))
        return float(np.corrcoef(moved[inner].reshape(-1), last[inner].reshape(-1))[0, 1])

    scores = {part: likeness(part) for part in (-1.0, 0.0, 0.5, 1.0, 1.5)}
    assert np.abs(clean.local_motion).max() > 3
    assert max(scores, key=scores.__getitem__) == 1.0
    assert scores[1.0] > 1.1 * scores[0.0]


def test_local_motion_averages_to_nothing_and_is_the_recorded_polynomial() -> None:
    motion = draw_exposure(SETTINGS, 1).motion
    field = local_field(motion, (256, 320), 2.0)
    np.testing.assert_allclose(field.mean(axis=(0, 1)), 0, atol=0.01)
    a, b, c, d, e = motion.truth().x
    u, v = 80 / 320 - 0.5, 64 / 256 - 0.5
    expected = a * u + b * v + c * (u**2 - 1 / 12) + d * u * v + e * (v**2 - 1 / 12)
    assert field[64, 80, 0] == pytest.approx(expected / 2.0, abs=1e-5)


def test_motion_is_fastest_at_first() -> None:
    settings = SimulationSettings(frames=40)
    steps = np.mean(
        [
            np.hypot(*np.diff(draw_exposure(settings, number).motion.shifts, axis=0).T)
            for number in range(1, 30)
        ],
        axis=0,
    )
    assert steps[:3].mean() > 3 * steps[-10:].mean()


def test_a_drifting_exposure_moves_far() -> None:
    settings = SETTINGS.model_copy(update={"exposures": 2, "faults": {2: "drifting"}})
    quiet, drifting = (np.abs(draw_exposure(settings, number).motion.shifts).max() for number in (1, 2))
    assert quiet < 20
    assert drifting > 30


def test_an_empty_exposure_has_nothing_but_noise() -> None:
    settings = SETTINGS.model_copy(update={"faults": {1: "empty"}})
    assert particles_in_frame(settings, draw_exposure(settings, 1)).size == 0
    assert not clean_micrograph(settings, 1).image.any()
    total = _record(settings).sum(axis=0)
    assert total.var() == pytest.approx(total.mean(), rel=0.05)


def test_particles_are_dark_where_the_truth_says_and_do_not_overlap() -> None:
    settings = SETTINGS.model_copy(
        update={"width": 512, "height": 512, "particles": 12, "min_defocus": 20_000}
    )
    exposure = draw_exposure(settings, 1)
    centres = particles_in_frame(settings, exposure)
    assert len(centres) >= 8
    distances = np.hypot(*(exposure.centres[:, None] - exposure.centres[None]).transpose(2, 0, 1))
    assert distances[~np.eye(len(distances), dtype=bool)].min() > 2 * groel().radius / 2
    image = clean_micrograph(settings, 1).image
    y, x = np.mgrid[:512, :512]
    near = np.hypot(x[..., None] - exposure.centres[:, 0], y[..., None] - exposure.centres[:, 1]).min(axis=-1)
    assert image[near < 30].mean() < image[near > 50].mean() - 0.01


def test_damage_takes_fine_detail_first() -> None:
    settings = SETTINGS.model_copy(
        update={
            "early_motion": 0.0,
            "late_motion": 0.0,
            "local_motion": 0.0,
            "ice_thickness": 0.0,
            "b_factor": 0,
        }
    )
    settings = settings.model_copy(update={"frames": 30, "dose": 120})
    clean = scipy.fft.rfft2(clean_micrograph(settings, 1).particles)
    frames = _record(settings)
    fine = np.hypot(scipy.fft.fftfreq(256, 2)[:, None], scipy.fft.rfftfreq(320, 2)[None])

    def kept(late: slice, low: float, high: float) -> float:
        """Part of the clean amplitude found in a band of the frames' mean."""
        band = (fine > low) & (fine < high)
        electrons = settings.dose_per_frame * settings.pixel_size**2
        found = scipy.fft.rfft2(frames[late].mean(axis=0) / electrons)
        return float((found * np.conj(clean)).real[band].sum() / (np.abs(clean) ** 2)[band].sum())

    first, last = slice(0, 3), slice(-3, None)
    for low, high in ((0.02, 0.04), (0.1, 0.125)):
        centre = (low + high) / 2
        critical = 0.24499 * centre**-1.6649 + 2.8141
        for part, dose in ((first, 6.0), (last, 114.0)):
            assert kept(part, low, high) == pytest.approx(np.exp(-dose / (2 * critical)), abs=0.12)


def test_rings_lie_where_the_transfer_function_has_them() -> None:
    settings = SimulationSettings(
        width=768, height=768, frames=6, particles=15, dose=60, astigmatism=0, pixel_size=1.5,
        early_motion=0, late_motion=0, local_motion=0, hot_pixels=0, dead_columns=0,
    )  # fmt: skip
    total = _record(settings).sum(axis=0)
    power = np.abs(scipy.fft.fft2(total - total.mean())) ** 2
    frequency_y = torch.fft.fftfreq(768, 1.5)[:, None]
    frequency_x = torch.fft.fftfreq(768, 1.5)[None, :]
    frequency = np.hypot(frequency_x.numpy(), frequency_y.numpy())
    optics = draw_exposure(settings, 1).optics

    def similarity(defocus: float) -> float:
        """Correlation of the spectrum with CTF² within narrow rings, where the background is flat."""
        transfer = contrast_transfer(
            frequency_x,
            frequency_y,
            defocus_u=defocus,
            defocus_v=defocus,
            defocus_angle=0,
            voltage=300,
            spherical_aberration=2.7,
            amplitude_contrast=0.1,
        )
        band = (frequency > 0.06) & (frequency < 0.2)
        rings = (frequency[band] * 768 * 1.5).astype(int)
        counts = np.maximum(np.bincount(rings), 1)
        profile = np.bincount(rings, power[band]) / counts
        model = np.bincount(rings, (transfer.numpy() ** 2)[band]) / counts
        used = np.bincount(rings) > 0
        smooth = np.convolve(profile[used], np.ones(41) / 41, mode="same")
        return float(np.corrcoef((profile[used] / smooth)[20:-20], model[used][20:-20])[0, 1])

    offsets = np.arange(-2000, 2001, 100)
    scores = [similarity(optics.defocus_u + offset) for offset in offsets]
    assert abs(offsets[int(np.argmax(scores))]) <= 200
    assert max(scores) > 0.5
