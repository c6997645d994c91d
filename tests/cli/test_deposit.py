"""A processed session, prepared for repositories."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import h5py
import jsonschema
import pytest
import xmlschema

from cli.command_line import COMMAND, Cli
from eucentric.formats import read_movies_star
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from interop.known_projects import RELION, project

DESCRIPTION = """
title = "GroEL on a simulated microscope"
abstract = "Simulated movies."
[publisher]
name = "Brown University"
[[authors]]
given_name = "Josiah"
family_name = "Carberry"
orcid = "0000-0002-1825-0097"
email = "josiah@example.org"
[authors.affiliation]
name = "Brown University"
ror = "05gq02987"
country = "US"
"""


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the site of a session in EPU's layout; one of its two exposures is empty."""
    folder = tmp_path_factory.mktemp("deposit")
    settings = SimulationSettings(
        exposures=2,
        width=640,
        height=640,
        frames=6,
        pixel_size=2.0,
        particles=25,
        layout="epu",
        faults={2: "empty"},
    )
    simulate_session(folder / "raw", settings)
    command = [str(COMMAND), "run", "single-particle", "--input", str(folder / "raw"), "--diameter", "150"]
    command += [
        "--site",
        str(folder / "site"),
        "--session",
        "night",
        "--inline",
        "--until-idle",
        "--no-monitor",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def prepared(cli: Cli, folder: Path, target: str, out: Path, *options: object) -> Any:
    return cli(
        "deposit", "prepare", "night", "--to", target, "--site", folder / "site", "--out", out, *options
    )


def test_what_only_people_can_say_is_asked_for_once(cli: Cli, processed: Path, tmp_path: Path) -> None:
    file = processed / "site" / "sessions" / "night" / "deposit.toml"
    file.unlink(missing_ok=True)
    result = prepared(cli, processed, "empiar", tmp_path / "out")
    assert result.exit_code == 1
    assert f"complete {file}" in result.stderr
    assert not (tmp_path / "out").exists()
    result = prepared(cli, processed, "empiar", tmp_path / "out")
    assert result.exit_code == 1
    assert "deposit.toml cannot be used: title: String should have at least 10 characters" in result.stderr
    assert "authors.0.family_name" in result.stderr


def test_empiar(cli: Cli, processed: Path, tmp_path: Path, shared: Path) -> None:
    (tmp_path / "deposit.toml").write_text(DESCRIPTION)
    out = tmp_path / "out"
    result = prepared(cli, processed, "empiar", out, "--description", tmp_path / "deposit.toml")
    assert result.exit_code == 0, result.stderr
    deposition = json.loads((out / "deposition.json").read_text())
    schema = json.loads((shared / "schemas" / "empiar_deposition.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(deposition)
    movies, sums = deposition["imagesets"]
    assert (movies["frames_per_image"], movies["num_images_or_tilt_series"], movies["image_width"]) == (
        6,
        1,
        640,
    )
    assert movies["pixel_width"] == pytest.approx(2.0)
    assert sums["voxel_type"] == "('T7', '')"
    (movie,) = (out / movies["directory"].strip("/")).iterdir()
    assert movie.resolve().is_relative_to(processed / "raw")
    for line in (out / "checksums.sha256").read_text().splitlines():
        checksum, _, path = line.partition("  ")
        assert hashlib.sha256((out / path).read_bytes()).hexdigest() == checksum
    oscem = json.loads((out / "oscem.json").read_text())
    assert oscem["acquisition"]["pixel_size"]["value"] == pytest.approx(2.0)
    assert oscem["instrument"]["acceleration_voltage"] == {"value": 300.0, "unit": "kV"}
    assert oscem["processing"]["micrographs"]["number_micrographs"] == 2
    graph = json.loads((out / "ro-crate-metadata.json").read_text())["@graph"]
    assert all((out / each["@id"]).exists() for each in graph if "File" in each["@type"])
    optics, table = read_movies_star(out / "movies.star")
    assert [(each.voltage, each.movie_pixel_size) for each in optics] == [(300, pytest.approx(2.0))]
    assert [(out / each.path).exists() for each in table] == [True]
    again = prepared(cli, processed, "empiar", out, "--description", tmp_path / "deposit.toml")
    assert again.exit_code == 1
    assert "is not empty; give another folder" in again.stderr


def test_emdb_says_what_is_missing(cli: Cli, processed: Path, tmp_path: Path, shared: Path) -> None:
    (tmp_path / "deposit.toml").write_text(DESCRIPTION)
    out = tmp_path / "out"
    result = prepared(cli, processed, "emdb", out, "--description", tmp_path / "deposit.toml")
    assert result.exit_code == 0, result.stderr
    assert "EMDB requires a map." in result.stdout
    open_ = (out / "TO_DECIDE.md").read_text()
    assert "- [ ] EMDB requires the name of the sample" in open_
    schema = xmlschema.XMLSchema(shared / "schemas" / "emdb_3.0.11.3.xsd")
    assert not schema.is_valid((out / "header.xml").read_text())
    assert "data_D_1000000000" in (out / "experiment.cif").read_text()


def test_zenodo_with_copies_of_what_is_chosen(cli: Cli, processed: Path, tmp_path: Path) -> None:
    (tmp_path / "deposit.toml").write_text(DESCRIPTION)
    out = tmp_path / "out"
    options = ("--description", tmp_path / "deposit.toml", "--copy", "--files", "particles")
    result = prepared(cli, processed, "zenodo", out, *options)
    assert result.exit_code == 0, result.stderr
    files = [each for each in (out / "data").rglob("*") if each.is_file()]
    assert len(files) == 1
    assert not files[0].is_symlink()
    assert (
        json.loads((out / "zenodo.json").read_text())["metadata"]["creators"][0]["name"] == "Carberry, Josiah"
    )
    with h5py.File(out / "nxem.nxs") as file:
        event = file["entry/measurement/event1"]
        assert event["instrument/ebeam_column/electron_source/voltage"][()] == 300
        notes = {name for name in file["entry"] if name.startswith("note")}
        assert notes == {f"note{n}" for n in (1, 2, 3, 4)}
    wrong = prepared(cli, processed, "zenodo", tmp_path / "x", *options, "--acquisition", "nope")
    assert wrong.exit_code == 1
    assert "There is no acquisition nope; there are:" in wrong.stderr


def test_a_session_that_relion_continued(cli: Cli, processed: Path, tmp_path: Path) -> None:
    (tmp_path / "deposit.toml").write_text(DESCRIPTION)
    out, place = tmp_path / "out", project(RELION, tmp_path)
    options = ("--description", tmp_path / "deposit.toml", "--processing", place)
    result = prepared(cli, processed, "emdb", out, *options)
    assert result.exit_code == 0, result.stderr
    assert "EMDB requires a map." not in result.stdout
    header = (out / "header.xml").read_text()
    assert "<number_images_used>60</number_images_used>" in header
    software = (out / "experiment.cif").read_text()
    assert "Eucentric" in software
    assert "RELION" in software
    oscem = json.loads((out / "oscem.json").read_text())
    assert oscem["processing"]["micrographs"]["number_micrographs"] == 2  # the session's own
    names = [
        each["name"]
        for each in json.loads((out / "ro-crate-metadata.json").read_text())["@graph"]
        if each["@type"] == "FormalParameter"
    ]
    assert any(name.startswith("Refine3D/job005.") for name in names)
