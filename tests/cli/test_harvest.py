"""Projects of other programs: shown, written down, and deposited without a session."""

import json
from pathlib import Path

import jsonschema
import pytest

from cli.command_line import Cli
from cli.test_deposit import DESCRIPTION
from eucentric.metadata.records import HarvestRecord
from interop.known_projects import PIPELINER, RELION, project

METADATA = """
[sample]
name = "GroEL"
source = "RECOMBINANT"
vitrification = true
[grid]
name = "3A"
"""


def test_a_project_is_shown(cli: Cli, tmp_path: Path) -> None:
    result = cli("harvest", project(RELION, tmp_path))
    assert result.exit_code == 0
    assert "RELION 3.1.3" in result.stdout
    assert "PostProcess/job009 (final)" in result.stdout
    assert "processing.resolution" in result.stdout
    data = json.loads(cli("harvest", tmp_path / RELION, "--final", "Class3D/job006", "--json").stdout)
    assert data["final"] == "Class3D/job006"
    assert data["record"]["processing"]["classes_3d"] == 2
    assert [each["name"] for each in data["record"]["steps"]][-1] == "PostProcess/job009"


def test_a_project_is_written_down(cli: Cli, tmp_path: Path) -> None:
    result = cli("harvest", project(PIPELINER, tmp_path), "--to", "found.json")
    assert result.stdout == "found.json: 5 steps.\n"
    found = HarvestRecord.model_validate_json((tmp_path / "found.json").read_text())
    assert found.final == "PostProcess/job005"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["found.json", PIPELINER]


def test_what_is_no_project(cli: Cli, tmp_path: Path) -> None:
    result = cli("harvest", tmp_path)
    assert result.exit_code == 1
    assert "is no project of RELION or of CCP-EM's pipeliner" in result.stderr


def test_a_project_alone_is_deposited(cli: Cli, tmp_path: Path, shared: Path) -> None:
    place = project(RELION, tmp_path)
    raw = tmp_path / "raw"
    raw.mkdir()
    xml = "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml"
    (raw / xml).symlink_to(shared / "fixtures" / xml)
    (raw / "metadata.toml").write_text(METADATA)
    result = cli("deposit", "prepare", "--processing", place, "--to", "emdb", "--raw", raw)
    assert result.exit_code == 1
    assert "complete deposit.toml" in result.stderr
    (tmp_path / "deposit.toml").write_text(DESCRIPTION)
    result = cli("deposit", "prepare", "--processing", place, "--to", "emdb", "--raw", raw, "--copy")
    assert result.exit_code == 0, result.stderr
    out = tmp_path / f"{RELION}-emdb"
    assert sorted(each.name for each in (out / "map").iterdir()) == [
        "mask.mrc",
        "postprocess.mrc",
        "postprocess_fsc.xml",
        "run_half1_class001_unfil.mrc",
        "run_half2_class001_unfil.mrc",
    ]
    header = (out / "header.xml").read_text()
    assert 'res_type="BY AUTHOR">21</resolution>' in header
    assert "<name>GroEL</name>" in header
    assert "emd_0000_half_map_2.map.gz" in header
    assert "RECONSTRUCTION" in (out / "experiment.cif").read_text()
    oscem = json.loads((out / "oscem.json").read_text())
    assert oscem["processing"]["volumes"][0]["vol_number_particles"] == 60
    workflow = json.loads((out / "workflow.json").read_text())
    assert [step["name"] for step in workflow["steps"]][:2] == ["Import/job001", "MotionCorr/job002"]
    graph = json.loads((out / "ro-crate-metadata.json").read_text())["@graph"]
    assert all((out / each["@id"]).exists() for each in graph if "File" in each["@type"])
    assert not any(str(tmp_path) in file.read_text("latin-1") for file in out.rglob("*") if file.is_file())


def test_zenodo_has_nexus_and_the_map(cli: Cli, tmp_path: Path, shared: Path) -> None:
    (tmp_path / "deposit.toml").write_text(DESCRIPTION)
    cli("harvest", project(PIPELINER, tmp_path), "--to", "found.json")
    result = cli("deposit", "prepare", "--processing", "found.json", "--to", "zenodo", "--out", "out")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out/nxem.nxs").read_bytes().startswith(b"\x89HDF")
    assert (tmp_path / "out/map/postprocess.mrc").exists()
    schema = json.loads((shared / "schemas" / "datacite-v4.5.json").read_text())
    datacite = json.loads((tmp_path / "out/datacite.json").read_text())
    attributes = datacite.get("data", {}).get("attributes", datacite)
    assert jsonschema.Draft7Validator(schema).is_valid(attributes)
    (tmp_path / PIPELINER / "PostProcess/job005/postprocess.mrc").unlink()
    again = cli("deposit", "prepare", "--processing", "found.json", "--to", "zenodo", "--out", "out2")
    assert "The map PostProcess/job005/postprocess.mrc is not in" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name a session, or give another program's project with --processing."),
        (("night", "--raw", "."), "leave out --raw"),
        (
            ("--processing", RELION, "--acquisition", "nope"),
            "There is no acquisition nope",
        ),
    ],
)
def test_what_does_not_go_together(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    project(RELION, tmp_path)
    (tmp_path / "deposit.toml").write_text(DESCRIPTION)
    result = cli("deposit", "prepare", "--to", "emdb", *arguments)
    assert result.exit_code == 1
    assert said in result.stderr
