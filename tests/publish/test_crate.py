"""A Workflow Run RO-Crate, validated by the community's validator against its profiles, without a network."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eucentric.engine.programs import Environment
from eucentric.publish.crate import CrateFile, ProcessedRun, run_crate
from outside_environments import installed
from publish.known import PEOPLE

RUNS = (
    ProcessedRun("movies", "import-movies", "3", {"folders": ["/data/x"], "pixel_size": None}),
    ProcessedRun("pick", "pick-particles", "2", {"diameter": 150.0, "threshold": 3, "strict": True}),
)


def written(folder: Path, **changed: Any) -> Path:
    (folder / "workflow.json").write_text("{}")
    (folder / "particles.star").write_text("data_\n")
    files = [CrateFile("particles.star", "Particles", 6, "text/plain")]
    times = {"began": datetime(2026, 1, 1, tzinfo=UTC), "ended": datetime(2026, 1, 2, tzinfo=UTC)}
    crate = run_crate(PEOPLE, RUNS, files, workflow="workflow.json", version="0.1", **times)
    for entity in crate["@graph"]:
        entity.update(changed.get(entity["@id"].strip("#./"), {}))
    (folder / "ro-crate-metadata.json").write_text(json.dumps(crate))
    return folder


VALIDATOR = Environment(
    "roc-validator", alone=("roc-validator==0.13.0",), requirements=("roc-validator==0.13.0",)
)


@pytest.fixture(scope="module")
def validator() -> Path:
    """The Python of an environment that has the validator: its libraries are others than ours."""
    return installed(VALIDATOR) / "python"


def problems(crate: Path, validator: Path, shared: Path) -> list[str]:
    script, context = (
        Path(__file__).with_name("validate_crate.py"),
        shared / "schemas" / "ro-crate-1.1-context.jsonld",
    )
    command = [str(validator), str(script), str(crate), str(context)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_crate_keeps_its_profiles(tmp_path: Path, validator: Path, shared: Path) -> None:
    assert problems(written(tmp_path), validator, shared) == []


def test_the_crate_of_another_programs_project_keeps_its_profiles(
    tmp_path: Path, validator: Path, shared: Path
) -> None:
    runs = (
        ProcessedRun("Refine3D/job005", "relion.refine3d", "3.1.3", {"sym_name": "D6", "do_zero_mask": True}),
        ProcessedRun("test output (35)", "ProtOutputTest", "", {"Use Gctf instead?": "a <b> & 'c'"}),
    )
    (tmp_path / "workflow.json").write_text("{}")
    crate = run_crate(PEOPLE, runs, [], workflow="workflow.json", version="0.1")
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(crate))
    assert problems(tmp_path, validator, shared) == []
    (action,) = [each for each in crate["@graph"] if each["@type"] == "CreateAction"]
    assert "startTime" not in action
    assert not any(" " in each["@id"] for each in crate["@graph"] if each["@id"].startswith("#test"))


def test_the_validator_would_complain(tmp_path: Path, validator: Path, shared: Path) -> None:
    assert problems(
        written(tmp_path, processing={"instrument": {"@id": "particles.star"}}), validator, shared
    )


def test_everything_that_is_named_is_described(tmp_path: Path) -> None:
    graph = json.loads((written(tmp_path) / "ro-crate-metadata.json").read_text())["@graph"]
    described = {entity["@id"] for entity in graph}
    named = {
        each["@id"]
        for entity in graph
        for value in entity.values()
        for each in (value if isinstance(value, list) else [value])
        if isinstance(each, dict)
    }
    assert {each for each in named - described if "://" not in each} == set()
    values = {entity["name"]: entity["value"] for entity in graph if entity["@type"] == "PropertyValue"}
    assert values == {
        "movies.folders": "['/data/x']",
        "pick.diameter": 150.0,
        "pick.threshold": 3,
        "pick.strict": True,
    }
