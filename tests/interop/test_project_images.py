"""The files of a project, as sets for a repository."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from eucentric.formats import write_mrc
from eucentric.interop import harvest
from eucentric.interop.project_images import project_images
from eucentric.publish import empiar
from interop.known_projects import RELION, project
from publish.known import PEOPLE


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project whose movies are links to another folder, with micrographs and a stack of particles."""
    place, raw = project(RELION, tmp_path), tmp_path / "raw"
    raw.mkdir()
    rng = np.random.default_rng(1)
    for number in (1, 2):
        movie = rng.poisson(2, (5, 32, 48)).astype(np.int16)
        write_mrc(raw / f"m{number}.mrcs", movie, 1.5)
        (place / "MotionCorr/job002/Movies").mkdir(exist_ok=True)
        image = rng.normal(size=(32, 48)).astype(np.float32)
        write_mrc(place / f"MotionCorr/job002/Movies/m{number}.mrc", image, 1.5)
    (place / "Movies").symlink_to(raw)
    write_mrc(place / "stack.mrcs", rng.normal(size=(60, 24, 24)).astype(np.float32), 7.0)
    return place


def test_all_kinds(place: Path, tmp_path: Path, shared: Path) -> None:
    found = harvest(place)
    kinds = ("movies", "micrographs", "particles")
    sets, told = project_images(found, "night", kinds, [tmp_path / "raw"])
    assert told == []
    movies, micrographs, particles = sets
    assert [each.name for each in movies.files] == ["m1.mrcs", "m2.mrcs"]
    assert (movies.images.frames, movies.images.width, movies.images.pixel_size) == (5, 48, 1.5)
    assert movies.conditions == {
        "voltage": 300.0,
        "spherical_aberration": 2.7,
        "amplitude_contrast": pytest.approx(0.1),
    }
    assert (movies.groups, micrographs.groups) == ((1, 1), (1, 1))
    assert micrographs.images.pixel_size == 1.5
    assert [each.name for each in particles.files] == ["stack.mrcs"]
    assert (particles.images.format, particles.images.pixel_size) == ("MRCS", 7.0)
    schema = json.loads((shared / "schemas" / "empiar_deposition.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(empiar(PEOPLE, tuple(each.images for each in sets)).content)


def test_links_lead_nowhere_that_nobody_named(place: Path) -> None:
    sets, told = project_images(harvest(place), "night", ("movies",), [])
    assert sets == []
    assert told == [
        "2 of the movies in Import/job001/movies.star are gone, or outside the project and --raw."
    ]


def test_files_that_are_gone_are_counted(place: Path) -> None:
    (place / "MotionCorr/job002/Movies/m1.mrc").unlink()
    (place / "stack.mrcs").unlink()
    sets, told = project_images(harvest(place), "night", ("micrographs", "particles"), [])
    assert [len(each.files) for each in sets] == [1]
    assert [each.split(" are gone")[0] for each in told] == [
        "1 of the micrographs in MotionCorr/job002/corrected_micrographs.star",
        "1 of the particles in Refine3D/job005/run_data.star",
    ]
