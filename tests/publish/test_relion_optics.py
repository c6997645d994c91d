"""Tables with optics groups, read by RELION itself."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from eucentric.formats import read_movies_star, read_star, write_mrc
from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish.relion_optics import OpticsFiles, relion_optics
from outside_programs import require_relion
from publish.known import WHOLE

OTHER = WHOLE.model_copy(
    update={"instrument": WHOLE.instrument.model_copy(update={"acceleration_voltage": 200.0})}
)


def sets(folder: str = "data") -> list[OpticsFiles]:
    first = [f"{folder}/A/movies/m{number}.mrcs" for number in (1, 2, 3)]
    second = [f"{folder}/B/movies/m1.mrcs"]
    return [
        OpticsFiles("grid A", WHOLE, first, [2, 1, 2], 0.528),
        OpticsFiles("B", OTHER, second, [1], 0.83),
    ]


def test_a_group_for_each_image_shift_of_each_acquisition(tmp_path: Path) -> None:
    document = relion_optics("movies", sets())
    assert document.missing == ()
    (tmp_path / "movies.star").write_text(document.content)
    optics, movies = read_movies_star(tmp_path / "movies.star")
    assert [(each.number, each.name, each.voltage) for each in optics] == [
        (1, "grid_A_1", 300),
        (2, "grid_A_2", 300),
        (3, "B_1", 200),
    ]
    assert [each.movie_pixel_size for each in optics] == [0.528, 0.528, 0.83]
    assert [(each.spherical_aberration, each.amplitude_contrast) for each in optics] == [(2.7, 0.1)] * 3
    assert [(each.path, each.optics_group) for each in movies][:2] == [
        ("data/A/movies/m1.mrcs", 2),
        ("data/A/movies/m2.mrcs", 1),
    ]
    assert movies[3].optics_group == 3


def test_micrographs_have_both_pixel_sizes_and_the_transfer_function(tmp_path: Path) -> None:
    detector = WHOLE.detector.model_copy(update={"mtf_file": "mtf_k3_300kV.star"})
    record = WHOLE.model_copy(update={"detectors": (detector,)})
    document = relion_optics("micrographs", [OpticsFiles("A", record, ["a.mrc"], [1], 1.056)])
    (tmp_path / "a.star").write_text(document.content)
    (group,) = read_star(tmp_path / "a.star")["optics"].to_dict(orient="records")
    assert group["rlnMicrographOriginalPixelSize"] == pytest.approx(0.528)
    assert group["rlnMicrographPixelSize"] == pytest.approx(1.056)
    assert group["rlnMtfFileName"] == "mtf_k3_300kV.star"


def test_what_relion_requires_and_nobody_knows_is_told() -> None:
    files = OpticsFiles("A", AcquisitionRecord(), ["a b.mrc"], [1], 1.0)
    document = relion_optics("micrographs", [files])
    assert document.missing == (
        "RELION requires the acceleration voltage (rlnVoltage) of A, which is not known.",
        "RELION requires the spherical aberration (rlnSphericalAberration) of A, which is not known.",
        "RELION requires the fraction of amplitude contrast (rlnAmplitudeContrast) of A, which is not known.",
        "RELION takes no names with spaces: rename the micrographs before it reads them.",
    )


def test_relion_aligns_the_movies_of_the_table(tmp_path: Path) -> None:
    require_relion()
    rng = np.random.default_rng(1)
    for each in sets():
        for path in each.paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            write_mrc(tmp_path / path, rng.poisson(2, (3, 64, 64)).astype(np.int16), each.pixel_size)
    (tmp_path / "movies.star").write_text(relion_optics("movies", sets()).content)
    command = ["relion_run_motioncorr", "--i", "movies.star", "--o", "out/", "--use_own", "--j", "1"]
    command += ["--patch_x", "1", "--patch_y", "1", "--bin_factor", "1", "--dose_per_frame", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    aligned = read_star(tmp_path / "out/corrected_micrographs.star")
    assert list(aligned["optics"]["rlnOpticsGroupName"]) == ["grid_A_1", "grid_A_2", "B_1"]
    assert list(aligned["optics"]["rlnMicrographPixelSize"]) == [0.528, 0.528, 0.83]
    assert sorted(aligned["micrographs"]["rlnOpticsGroup"]) == [1, 2, 2, 3]
