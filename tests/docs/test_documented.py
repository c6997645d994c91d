"""What the documentation says is what the program does."""

import json
import tomllib
from pathlib import Path

import pytest

from eucentric.engine.registry import Registry
from eucentric.engine.workflow import read_workflow, workflow_schema

ROOT = Path(__file__).parents[2]


def test_the_published_schema_of_workflows_is_the_programs():
    published = json.loads((ROOT / "docs/reference/workflow.schema.json").read_text())
    assert published == workflow_schema()


def test_the_tutorials_protocol_and_workflow_load():
    registry = Registry(ROOT / "examples")
    assert registry.broken == {}
    workflow = read_workflow(ROOT / "examples/keep_sharp.json")
    assert {run.protocol for run in workflow.runs.values()} == {"keep-sharp"}
    assert registry["keep-sharp"].version == "1"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_every_page_has_one_title_and_speaks_of_the_project_alone(page):
    text = page.read_text()
    assert text.startswith("# ")
    assert "/work/" not in text
    assert "/root/" not in text


@pytest.mark.parametrize(
    "link", ["docs/images/demo.svg", "benchmarks/README.md", "CONTRIBUTING.md", "LICENSE"]
)
def test_what_the_readme_links_to_is_there(link):
    assert link in (ROOT / "README.md").read_text() or link == "LICENSE"
    assert (ROOT / link).is_file()


@pytest.mark.parametrize(
    "plug_in", sorted((ROOT / "plugins").glob("*/pyproject.toml")), ids=lambda p: p.parent.name
)
def test_every_protocol_of_a_plug_in_is_in_the_reference(plug_in):
    page = (ROOT / "docs/reference/plug-ins.md").read_text()
    points = tomllib.loads(plug_in.read_text())["project"]["entry-points"].get("eucentric.protocols", {})
    section = page.partition(f"## {plug_in.parent.name}\n")[2].partition("\n## ")[0]
    assert section
    assert {name for name in points if f"| `{name}` |" not in section} == set()
