"""The workflows that come with the techniques: JSON documents in their `workflows/` folders."""

from importlib.resources import as_file, files
from pathlib import Path

from eucentric.engine.workflow import Workflow, read_workflow


class NoSuchWorkflow(LookupError):
    """There is no built-in workflow of this name, and no such file."""


def builtin_workflows() -> dict[str, Workflow]:
    """Return the workflows that come with Eucentric, by name.

    They leave open what only a session knows: the folders that its sources watch.
    """
    with as_file(files("eucentric.techniques")) as folder:
        found = [read_workflow(file) for file in sorted(folder.glob("*/workflows/*.json"))]
    return {workflow.name: workflow for workflow in found}


def find_workflow(name: str) -> Workflow:
    """Return the built-in workflow called `name`, or the one in the JSON file that `name` points to.

    Raises:
        NoSuchWorkflow: It is neither; the message names the built-in ones.
        WorkflowError: The file is not a workflow.
    """
    builtin = builtin_workflows()
    if name in builtin:
        return builtin[name]
    if not Path(name).is_file():
        raise NoSuchWorkflow(
            f"There is no workflow {name}: it is neither a file nor built in; built in are"
            f" {', '.join(builtin)}."
        )
    return read_workflow(Path(name))
