"""The modes and lengths of the column in FEI's extended header, which are numbers of their own there."""

import math
from pathlib import Path

import numpy as np
import pytest
from mrcfile.dtypes import get_ext_header_dtype

from eucentric.formats import read_info
from eucentric.formats.fei_header import read_fei_block


def test_a_scanning_microscope_is_told_from_an_imaging_one() -> None:
    block = np.zeros((), get_ext_header_dtype(b"FEI2", "<"))
    for name in ("Bitmask 1", "Bitmask 2", "Bitmask 3", "Bitmask 4"):
        block[name] = 2**32 - 1
    block["Instrument mode"], block["Projection mode"], block["Probe mode"] = 2, 1, 2
    block["Camera length"], block["Convergence angle"], block["Illuminated area"] = 0.115, 0.021, 1.5e-6
    block["Dwell time"], block["Frame time"], block["Energy shift"] = 2e-5, 20.5, 15
    block["STEM Detector name"], block["Illumination mode"] = b"HAADF", b"Probe"
    block["Objective aperture name"], block["Beta tilt"], block["Defocus"] = b"70", math.inf, 2e-7
    found = read_fei_block(block.tobytes(), b"FEI2", "<")
    assert (found["mode"], found["projection"], found["probe"]) == ("STEM", "diffraction", "microprobe")
    assert found["camera_length"] == pytest.approx(115)
    assert found["convergence"] == pytest.approx(21)
    assert found["beam_diameter"] == pytest.approx(15_000)
    assert found["lens_defocus"] == pytest.approx(-2000)
    assert (found["dwell_time"], found["frame_time"], found["energy_shift"]) == (2e-5, 20.5, 15)
    assert (found["stem_detector"], found["illumination"]) == ("HAADF", "Probe")
    assert found["objective_aperture"] == "70"
    assert "stage_beta" not in found


def test_a_real_movie_of_a_titan(shared: Path) -> None:
    found = read_info(shared / "data" / "epu2.9_example.mrc").extended
    assert (found["mode"], found["projection"], found["probe"]) == ("TEM", "imaging", "nanoprobe")
    assert (found["eftem"], found["illumination"]) == (False, "Parallel")
    assert found["beam_diameter"] == pytest.approx(13_000)
    assert found["stage_beta"] == pytest.approx(1.04092, abs=1e-5)
    assert found["lens_defocus"] == pytest.approx(-18_151.5, abs=0.1)
