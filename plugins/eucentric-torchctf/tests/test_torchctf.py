"""torch-ctf-estimation itself, on simulated micrographs and a real one; its units and signs; failures."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from eucentric.engine.programs import ProgramFailed
from eucentric.engine.protocol import Task
from eucentric.formats import write_mrc
from eucentric.metadata import CTF, Micrograph
from eucentric.techniques.single_particle.ctf_consensus import CTFConsensus
from eucentric.techniques.single_particle.estimate_ctf import EstimateCTF
from eucentric_torchctf.driver import gaussian_blur
from eucentric_torchctf.estimate import TorchCTFEstimate, axes
from eucentric_torchctf.program import ENVIRONMENT
from imaging_truth import transferred_noise
from outside_environments import installed, site_with

OPTICS = {"pixel_size": 1.5, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


@pytest.fixture(scope="session")
def torchctf() -> Path:
    return installed(ENVIRONMENT)


def task(session: Path, programs: Path, name: str = "work") -> Task:
    (session / name).mkdir()
    site = site_with(session / f"{name}.site", "torchctf", programs)
    return Task(("grid", "m"), session / name, f"runs/{name}", session, site)


def simulated(session: Path, defocus: tuple[float, float, float], **optics: float) -> Micrograph:
    image = transferred_noise(1024, 1.5, defocus=defocus, signal=0.8, seed=3, **optics)
    write_mrc(session / "m.mrc", image.numpy().astype(np.float32), 1.5)
    return Micrograph(path="m.mrc", height=1024, width=1024, **OPTICS)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("angle", [20.0, 70.0, 140.0])
def test_defocus_and_astigmatism_are_in_our_units_and_signs(
    torchctf: Path, tmp_path: Path, angle: float
) -> None:
    micrograph = simulated(tmp_path, (15_700, 14_300, angle))
    found = TorchCTFEstimate().process(micrograph, task(tmp_path, torchctf))
    assert found.defocus_u == pytest.approx(15_700, abs=100)
    assert found.defocus_v == pytest.approx(14_300, abs=100)
    assert abs((found.defocus_angle - angle + 90) % 180 - 90) < 3
    # Judged as our own method judges itself.
    ours = EstimateCTF(EstimateCTF.Params(max_resolution=4)).process(
        micrograph, None, task(tmp_path, torchctf, "own")
    )
    assert found.score == pytest.approx(ours.score, abs=0.03)
    assert found.resolution == pytest.approx(ours.resolution, rel=0.1)
    assert found.ice_ring == pytest.approx(ours.ice_ring)
    assert found.confidence is None
    assert {file.name for file in (tmp_path / "work").iterdir()} == {"ctf.png", "ctf.json"}
    profile = json.loads((tmp_path / "work" / "ctf.json").read_text())
    assert len(profile["frequency"]) == len(profile["model"]) == len(profile["spectrum"]) > 50


@pytest.mark.timeout(1200)
def test_a_phase_plate_is_given_or_fitted(torchctf: Path, tmp_path: Path) -> None:
    micrograph = simulated(tmp_path, (12_150, 11_850, 30), phase_shift=70.0)
    given = TorchCTFEstimate(TorchCTFEstimate.Params(phase_shift=70))
    found = given.process(micrograph, task(tmp_path, torchctf))
    assert found.phase_shift == 70
    assert found.defocus == pytest.approx(12_000, abs=100)
    fitted = TorchCTFEstimate(TorchCTFEstimate.Params(fit_phase_shift=True))
    found = fitted.process(micrograph, task(tmp_path, torchctf, "fitted"))
    assert found.phase_shift == pytest.approx(70, abs=15)
    assert found.defocus == pytest.approx(12_000, abs=200)


@pytest.mark.timeout(1200)
def test_a_real_micrograph_and_a_consensus_with_our_own_method(torchctf: Path, tmp_path: Path) -> None:
    shared = Path(os.environ.get("EUCENTRIC_SHARED", Path(__file__).parents[4] / "shared"))
    if not (shared / "data").is_dir() and not os.environ.get("CI"):
        pytest.skip(f"no real data at {shared}; set EUCENTRIC_SHARED to the folder that has them")
    (tmp_path / "m.mrc").symlink_to(shared / "data" / "epu2.9_example.mrc")
    optics = OPTICS | {"pixel_size": 0.66655}
    micrograph = Micrograph(path="m.mrc", height=4096, width=4096, **optics)
    second = TorchCTFEstimate(TorchCTFEstimate.Params(max_resolution=5))
    other = second.process(micrograph, task(tmp_path, torchctf))
    # Two independent programs find 27,245 to 27,294 and 27,151 to 27,188 Å.
    assert other.defocus == pytest.approx(27_220, abs=100)
    assert other.astigmatism < 250
    assert other.resolution < 6
    own = EstimateCTF().process(micrograph, None, task(tmp_path, torchctf, "own"))
    mean = CTFConsensus().process([own, other], task(tmp_path, torchctf, "consensus"))
    assert mean.defocus == pytest.approx((own.defocus + other.defocus) / 2, abs=0.1)
    assert mean.agreement is not None
    assert 0 < mean.agreement < 5
    assert isinstance(mean, CTF)


def test_the_blur_is_that_of_torchvision() -> None:
    """A Gaussian of that many taps and unit sum, with mirrored edges; checked with torchvision 0.28."""
    image = np.random.default_rng(0).standard_normal((30, 41)).astype(np.float32)
    blurred = gaussian_blur(torch.from_numpy(image)[None, None], kernel_size=11, sigma=3.0)[0, 0].numpy()
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 3.0) ** 2)
    wanted = image
    for axis in (0, 1):
        wanted = ndimage.correlate1d(wanted, taps / taps.sum(), axis=axis, mode="mirror")
    np.testing.assert_allclose(blurred, wanted, atol=1e-5)


def test_signs_of_what_the_program_finds() -> None:
    found = {"defocus": 1.5, "astigmatism": 0.07, "astigmatism_angle": -40.0}
    assert axes(found, "0.6.0") == pytest.approx((15_700, 14_300, 140))
    assert axes(found | {"astigmatism": -0.07}, "0.6.0") == pytest.approx((15_700, 14_300, 50))
    with pytest.raises(ProgramFailed, match=r"torch-ctf-estimation 0\.6\.0 found no defocus"):
        axes(found | {"astigmatism": float("nan")}, "0.6.0")
    with pytest.raises(ProgramFailed, match="found no defocus"):
        axes({"defocus": 1.5}, "0.6.0")


def test_limits_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="min_defocus must be smaller"):
        TorchCTFEstimate.Params(min_defocus=9_000, max_defocus=9_000)
    with pytest.raises(ValueError, match="must be larger"):
        TorchCTFEstimate.Params(min_resolution=4, max_resolution=4)


def python(folder: Path, version: str, script: str = "exit") -> Path:
    """Make an environment's folder whose `python` tells that version, and else runs the script."""
    folder.mkdir()
    told = f"echo torch-ctf-estimation {version}" if version else "echo ModuleNotFoundError >&2; exit 1"
    (folder / "python").write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then {told}; exit; fi\n{script}\n')
    (folder / "python").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("version", "script", "told"),
    [
        ("0.6.1", "echo 'ValueError: no rings' >&2; exit 1", "python 0.6.1 ended with exit code 1.*no rings"),
        ("0.6.1", "exit", "ended well but did not write result.json"),
        ("0.5.9", "exit", "is version 0.5.9, but >=0.6,<0.7 is needed. `eucentric-torchctf install` makes"),
        ("", "exit", "does not tell its version"),
    ],
)
def test_failures_are_told(tmp_path: Path, version: str, script: str, told: str) -> None:
    write_mrc(tmp_path / "m.mrc", np.ones((64, 64), np.float32), 1.5)
    micrograph = Micrograph(path="m.mrc", height=64, width=64, **OPTICS)
    with pytest.raises(ProgramFailed, match=told):
        TorchCTFEstimate().process(micrograph, task(tmp_path, python(tmp_path / "bin", version, script)))


def test_where_the_program_comes_from_is_told(tmp_path: Path) -> None:
    write_mrc(tmp_path / "m.mrc", np.ones((64, 64), np.float32), 1.5)
    micrograph = Micrograph(path="m.mrc", height=64, width=64, **OPTICS)
    with pytest.raises(ProgramFailed, match=r"not found at .*`eucentric-torchctf install` makes"):
        TorchCTFEstimate().process(micrograph, task(tmp_path, tmp_path / "nowhere"))
