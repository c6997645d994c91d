"""Workflows: what is wrong with a document is said, all at once; what is right becomes a graph."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.little import LITTLE
from eucentric.engine.graph import Need, Port, Stream
from eucentric.engine.registry import Registry
from eucentric.engine.workflow import (
    Workflow,
    WorkflowError,
    compile_workflow,
    dump_workflow,
    read_workflow,
    workflow_schema,
)

GOOD: dict[str, Any] = {
    "total-1": {"protocol": "total", "inputs": {"number": "merge-1.number"}},
    "merge-1": {"protocol": "merge", "inputs": {"numbers": ["shift-1.number", "split-1.high"]}},
    "split-1": {"protocol": "split", "inputs": {"number": "numbers-1.number"}},
    "shift-1": {
        "protocol": "shift",
        "params": {"extra": 2.5},
        "inputs": {"number": "numbers-1.number", "offset": "numbers-1.offset"},
    },
    "numbers-1": {"protocol": "numbers"},
}


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    for protocol in LITTLE:
        registry.add(protocol)
    return registry


def workflow(**changes: dict[str, Any] | None) -> Workflow:
    """The good workflow, with some of its runs replaced, added or (None) left out."""
    changed = {name.replace("_", "-"): run for name, run in changes.items()}
    runs = {name: run for name, run in {**GOOD, **changed}.items() if run is not None}
    return Workflow.model_validate({"name": "test", "runs": runs})


def problems(registry: Registry, **changes: dict[str, Any] | None) -> list[str]:
    with pytest.raises(WorkflowError) as caught:
        compile_workflow(workflow(**changes), registry)
    assert str(caught.value).startswith("The workflow cannot run: ")
    return caught.value.problems


def test_a_good_workflow_becomes_a_graph_upstream_first(registry: Registry) -> None:
    graph = compile_workflow(workflow(), registry)
    names = list(graph)
    assert set(names) == set(GOOD)
    assert names.index("numbers-1") < names.index("shift-1") < names.index("merge-1") < names.index("total-1")
    assert graph["numbers-1"].levels == {"number": 1, "offset": 0}
    assert graph["shift-1"].ports == {
        "number": Port((Stream("numbers-1", "number"),), 1),
        "offset": Port((Stream("numbers-1", "offset"),), 0, optional=True),
    }
    assert graph["shift-1"].need == Need(cpus=2, memory=3 * 10**9, gpus=1)
    assert graph["merge-1"].ports["numbers"].several
    assert graph["split-1"].outputs == ("low", "high")


def test_an_accumulators_entries_have_keys_and_its_output_belongs_to_the_acquisition(
    registry: Registry,
) -> None:
    plan = compile_workflow(workflow(), registry)["total-1"]
    assert (plan.station, plan.level, plan.levels, plan.most) == ("accumulator", 1, {"sum": 0}, 7)


@pytest.mark.parametrize(
    ("run", "spec", "message"),
    [
        (
            "shift_1",
            {"protocol": "shfit"},
            "Run shift-1: there is no protocol shfit; there are ",
        ),
        (
            "shift_1",
            {"protocol": "shift"},
            "Run shift-1: the input number (Number) is not connected.",
        ),
        (
            "split_1",
            {"protocol": "split", "inputs": {"number": "numbers-1.number", "offset": "numbers-1.offset"}},
            "Run split-1: split has no input offset; its inputs are number.",
        ),
        (
            "numbers_1",
            {"protocol": "numbers", "inputs": {"number": "shift-1.number"}},
            "Run numbers-1: numbers has no input number; it takes none.",
        ),
        (
            "shift_1",
            {"protocol": "shift", "inputs": {"number": "numbers-1.offset"}},
            "Run shift-1: the input number takes Number, but numbers-1.offset gives Offset.",
        ),
        (
            "shift_1",
            {"protocol": "shift", "inputs": {"number": ["numbers-1.number"]}},
            "Run shift-1: the input number takes one stream, not a list.",
        ),
        (
            "shift_1",
            {"protocol": "shift", "inputs": {"number": "nobody.number"}},
            "Run shift-1: the input number wants nobody.number, but there is no run nobody.",
        ),
        (
            "shift_1",
            {"protocol": "shift", "inputs": {"number": "split-1.middle"}},
            "Run shift-1: the input number wants split-1.middle, but split-1 has no output middle;"
            " it has low, high.",
        ),
        (
            "shift_1",
            {"protocol": "shift", "params": {"extra": -1}, "inputs": {"number": "numbers-1.number"}},
            "Run shift-1: parameter extra: Input should be greater than or equal to 0.",
        ),
        (
            "shift_1",
            {"protocol": "shift", "params": {"extar": 1}, "inputs": {"number": "numbers-1.number"}},
            "Run shift-1: parameter extar: Extra inputs are not permitted.",
        ),
        (
            "shift_1",
            {"protocol": "shift", "params": {"extra": "NaN"}, "inputs": {"number": "numbers-1.number"}},
            "Run shift-1: parameter extra: Input should be a finite number.",
        ),
    ],
)
def test_what_is_wrong_is_said(registry: Registry, run: str, spec: dict[str, Any], message: str) -> None:
    found = problems(registry, **{run: spec})
    assert len(found) == 1
    assert found[0].startswith(message)


def test_all_that_is_wrong_is_said_at_once(registry: Registry) -> None:
    found = problems(
        registry,
        shift_1={"protocol": "shift", "params": {"extra": -1}},
        split_1={"protocol": "split", "inputs": {"number": "numbers-1.offset"}},
    )
    assert len(found) == 3


def test_a_protocol_that_cannot_be_loaded_says_why(registry: Registry) -> None:
    registry.broken["external"] = "ImportError: no licence"
    found = problems(registry, extra={"protocol": "external"})
    assert found == ["Run extra: the protocol external cannot be loaded (ImportError: no licence)."]


def test_a_circle_is_named(registry: Registry) -> None:
    (found,) = problems(
        registry,
        shift_1={"protocol": "shift", "inputs": {"number": "split-1.low"}},
        split_1={"protocol": "split", "inputs": {"number": "shift-1.number"}},
    )
    assert "feed each other in a circle" in found
    assert "shift-1" in found
    assert "split-1" in found


def test_a_list_does_not_mix_levels(registry: Registry) -> None:
    (found,) = problems(
        registry,
        largest={"protocol": "largest", "inputs": {"number": "shift-1.number"}},
        merge_1={"protocol": "merge", "inputs": {"numbers": ["shift-1.number", "largest.number"]}},
    )
    assert "the streams of the input numbers must all belong to exposures, or all to the acquisition" in found


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "Invalid JSON"),
        ('{"name": "x"}', "runs: Field required"),
        ('{"name": "X Y", "runs": {}}', "name: String should match pattern"),
        ('{"name": "x", "runs": {"a": {}}}', "runs.a.protocol: Field required"),
        ('{"name": "x", "runs": {"a": {"protocol": "p", "input": {}}}}', "runs.a.input: Extra inputs"),
        ('{"name": "x", "runs": {"a": {"protocol": "p", "inputs": {"n": "b"}}}}', "runs.a.inputs.n"),
        ('{"name": "x", "runs": {"A b": {"protocol": "p"}}}', "runs.A b"),
    ],
)
def test_a_bad_document_says_where(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "workflow.json"
    file.write_text(text)
    with pytest.raises(WorkflowError) as caught:
        read_workflow(file)
    assert str(file) in str(caught.value)
    assert place in str(caught.value)


def test_a_workflow_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "workflow.json"
    file.write_text(dump_workflow(workflow()))
    assert read_workflow(file) == workflow()


def test_the_schema_and_the_model_agree() -> None:
    """What the model requires and permits is what the published JSON Schema says."""
    schema = workflow_schema()
    run = schema["$defs"]["RunSpec"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["name", "runs"]
    assert run["required"] == ["protocol"]
    assert schema["additionalProperties"] is run["additionalProperties"] is False
    document = json.loads(dump_workflow(workflow()))
    assert set(document) <= set(schema["properties"])
    assert all(set(spec) <= set(run["properties"]) for spec in document["runs"].values())


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(workflow_schema())) == workflow_schema()


@pytest.mark.parametrize(
    "file",
    sorted((Path(__file__).parents[2] / "src" / "eucentric").glob("**/workflows/*.json")),
    ids=lambda file: file.stem,
)
def test_the_workflows_that_ship_lack_only_what_people_give(file: Path) -> None:
    try:
        compile_workflow(read_workflow(file), Registry())
    except WorkflowError as error:
        assert all(problem.endswith(": Field required.") for problem in error.problems)  # noqa: PT017
