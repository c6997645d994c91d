import json
from pathlib import Path

from cli.command_line import Cli
from eucentric.engine.workflow import Workflow


def test_built_in_workflows_are_listed_and_printed(cli: Cli) -> None:
    assert "single-particle:" in cli("workflows").output
    printed = cli("workflows", "single-particle").output
    runs = ["movies", "align", "ctf", "select", "pick", "extract", "statistics"]
    assert list(Workflow.model_validate_json(printed).runs) == runs
    names = [each["name"] for each in json.loads(cli("workflows", "--json").output)]
    assert names == ["first-map", "motion-and-ctf", "single-particle"]


def test_the_schema_is_json_schema(cli: Cli) -> None:
    assert "runs" in json.loads(cli("workflows", "--schema").output)["properties"]


def test_a_printed_workflow_passes_the_check(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(cli("workflows", "motion-and-ctf").output)
    assert cli("workflows", "--check", file).exit_code == 0


def test_the_check_says_all_that_is_wrong(cli: Cli, sample: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    runs = {"x": {"protocol": "nope"}, "y": {"protocol": "read-file", "inputs": {"file": "x.y"}}}
    file.write_text(json.dumps({"name": "mine", "runs": runs}))
    result = cli("workflows", "--check", file, "--site", sample)
    assert result.exit_code == 1
    assert "no protocol nope" in result.stderr
    assert "read-file" in result.stderr


def test_an_unknown_name_is_told_what_there_is(cli: Cli) -> None:
    result = cli("workflows", "singel-particle")
    assert result.exit_code == 1
    assert "built in are first-map, motion-and-ctf, single-particle" in result.stderr
