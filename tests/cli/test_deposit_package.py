"""Packages of sessions with several acquisitions, of tilt series, and with next to nothing known."""

import json
from functools import cache
from pathlib import Path

import gemmi
import jsonschema
import numpy as np
import pytest
import xmlschema

from eucentric.cli.deposit_package import package_of
from eucentric.cli.deposit_sources import Chosen, Source
from eucentric.cli.errors import CommandFailed
from eucentric.formats import read_star, write_mrc
from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish.map_file import FinalMap
from eucentric.publish.package import write_package
from eucentric.publish.session import FileSet, image_set
from publish.known import PEOPLE, WHOLE

TILTED = WHOLE.model_copy(
    update={
        "acquisition": WHOLE.acquisition.model_copy(
            update={
                "technique": "tomography",
                "tilt_angle_minimal": -60.0,
                "tilt_angle_maximal": 60.0,
                "tilt_angle_increment": 3.0,
                "tilt_axis_angle": 84.3,
                "tilt_series": 2,
            }
        )
    }
)
NAMES = ("../grid 1", "grid/2", "unknown")


@cache
def schema(path: Path) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(path)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Three acquisitions: single particles, tilt series, and one of which nothing is known."""
    rng = np.random.default_rng(1)
    chosen = []
    for number, (name, record) in enumerate(zip(NAMES, (WHOLE, TILTED, AcquisitionRecord()), strict=True)):
        folder = tmp_path / f"raw{number}"
        folder.mkdir()
        write_mrc(folder / "m1.mrc", rng.poisson(2, (3, 16, 16)).astype(np.int16), 1.0)
        files = (folder / "m1.mrc",)
        images = image_set("movies", name, files, 1.0)
        chosen.append(Chosen(name, record, [FileSet("movies", files, images, (1,), {})]))
    write_mrc(tmp_path / "map.mrc", rng.normal(size=(16, 16, 16)).astype(np.float32), 1.0)
    chosen[1].map = FinalMap(tmp_path / "map.mrc")
    return Source(chosen, [], {"runs": {}})


@pytest.mark.parametrize("to", ["empiar", "emdb", "zenodo"])
def test_every_acquisition_has_its_documents(source: Source, tmp_path: Path, shared: Path, to: str) -> None:
    out = tmp_path / "out"
    package = package_of(to, PEOPLE, source)
    write_package(out, package, copy=False)
    inside = {str(each.relative_to(out)) for each in out.rglob("*")}
    assert {f"oscem-{name}.json" for name in ("_grid_1", "grid_2", "unknown")} <= inside
    assert {f"data/{name}/movies/m1.mrc" for name in ("_grid_1", "grid_2", "unknown")} <= inside
    assert sorted(each.name for each in tmp_path.iterdir()) == ["map.mrc", "out", "raw0", "raw1", "raw2"]
    for name, kind in (("_grid_1", "spa"), ("grid_2", "cellular_tomo")):
        document = json.loads((out / f"oscem-{name}.json").read_text())
        official = json.loads((shared / "schemas" / f"oscem_1.0.2_{kind}.schema.json").read_text())
        jsonschema.Draft202012Validator(official).validate(document)
    if to == "empiar":
        official = json.loads((shared / "schemas" / "empiar_deposition.schema.json").read_text())
        deposition = json.loads((out / "deposition.json").read_text())
        jsonschema.Draft7Validator(official).validate(deposition)
        assert [each["category"] for each in deposition["imagesets"]] == [
            "('T2', '')",
            "('T9', '')",
            "('T2', '')",
        ]
        tilts = deposition["imagesets"][1]
        assert (tilts["num_images_or_tilt_series"], tilts["details"]) == (2, "1 tilt images")
    if to == "emdb":
        found = schema(shared / "schemas" / "emdb_3.0.11.3.xsd").iter_errors((out / "header.xml").read_text())
        assert [error.reason for error in found] == []
        assert "<method>tomography</method>" in (out / "header.xml").read_text()
        assert len(list(out.glob("experiment-*.cif"))) == 3
        assert (
            gemmi.cif.read(str(out / "experiment-grid_2.cif"))
            .sole_block()
            .find_value("_em_experiment.reconstruction_method")
        )
    optics = read_star(out / "movies.star")["optics"]
    assert list(optics["rlnOpticsGroupName"]) == ["_grid_1_1", "grid_2_1", "unknown_1"]
    assert "rlnVoltage" not in optics.columns  # of one it is not known, and the table has no gaps
    assert (
        "RELION requires the acceleration voltage (rlnVoltage) of unknown, which is not known."
        in (out / "TO_DECIDE.md").read_text()
    )


def test_two_maps_are_one_too_many_for_emdb(source: Source) -> None:
    source.acquisitions[0].map = source.acquisitions[1].map
    with pytest.raises(CommandFailed, match=r"Several acquisitions have a map \(\.\./grid 1, grid/2\)"):
        package_of("emdb", PEOPLE, source)
    package = package_of("zenodo", PEOPLE, source)
    assert {"map/_grid_1/map.mrc", "map/grid_2/map.mrc"} <= set(package.files)
