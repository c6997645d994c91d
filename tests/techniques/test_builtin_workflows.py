from pathlib import Path

import pytest

from eucentric.engine.registry import Registry
from eucentric.engine.workflow import WorkflowError, compile_workflow, dump_workflow
from eucentric.techniques.workflows import NoSuchWorkflow, builtin_workflows, find_workflow


@pytest.mark.parametrize("name", builtin_workflows())
def test_built_in_workflows_run_once_folders_and_diameter_are_known(name: str) -> None:
    workflow = find_workflow(name)
    source = next(run for run, spec in workflow.runs.items() if not spec.inputs)
    params = {source: {"folders": ["/data"]}, "pick": {"diameter": 150}}
    runs = {
        run: spec.model_copy(update={"params": params.get(run, {})}) for run, spec in workflow.runs.items()
    }
    filled = workflow.model_copy(update={"runs": runs})
    assert set(compile_workflow(filled, Registry())) == set(workflow.runs)
    assert workflow.description


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    workflow = builtin_workflows()["single-particle"]
    file = tmp_path / "mine.json"
    file.write_text(dump_workflow(workflow))
    assert find_workflow(str(file)) == workflow
    file.write_text("{}")
    with pytest.raises(WorkflowError, match=str(file)):
        find_workflow(str(file))


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(NoSuchWorkflow, match="built in are first-map, motion-and-ctf, single-particle"):
        find_workflow("nothing")
