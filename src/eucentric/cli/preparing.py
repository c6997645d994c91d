"""From a workflow and what was said on the command line to a session."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from eucentric.cli.errors import CommandFailed
from eucentric.engine.commands import Extend, open_commands
from eucentric.engine.recollect import read_runs, workflow_of
from eucentric.engine.registry import Registry
from eucentric.engine.sessions import NoSuchSession, create_session, session_id_of
from eucentric.engine.workflow import RunSpec, Workflow, compile_workflow
from eucentric.store import Database, Site


def fill_in(
    workflow: Workflow, registry: Registry, common: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]
) -> Workflow:
    """Return the workflow with more parameters set.

    Args:
        workflow: The workflow.
        registry: The protocols.
        common: Parameters for every run that has one of this name; None where none was given.
        own: Parameters for single runs, by run.

    Raises:
        CommandFailed: There is no such run, no run takes a common parameter, or one needs a common parameter
            that was not given.
    """
    if unknown := sorted(set(own) - set(workflow.runs)):
        raise CommandFailed(
            f"The workflow {workflow.name} has no run {unknown[0]}; it has {', '.join(workflow.runs)}."
        )
    given = {name: value for name, value in common.items() if value is not None}
    taken: set[str] = set()
    runs: dict[str, RunSpec] = {}
    for name, spec in workflow.runs.items():
        protocol = registry.get(spec.protocol)
        fields = protocol.Params.model_fields if protocol else {}
        fitting = {each: value for each, value in given.items() if each in fields}
        taken.update(fitting)
        params = {**spec.params, **fitting, **own.get(name, {})}
        for each, field in fields.items():
            if field.is_required() and each in common and each not in params:
                what = (field.description or each).rstrip(".").lower()
                raise CommandFailed(
                    f"The run {name} of the workflow {workflow.name} needs {_option(each)} ({what}); give it."
                )
        runs[name] = spec.model_copy(update={"params": params})
    if left := sorted(set(given) - taken):
        raise CommandFailed(f"No run of the workflow {workflow.name} takes {_option(left[0])}; leave it out.")
    return workflow.model_copy(update={"runs": runs})


def _option(param: str) -> str:
    names = {"folders": "--input", "expected_frames": "--frames"}
    return names.get(param, f"--{param.replace('_', '-')}")


def begin_session(site: Site, database: Database, name: str, workflow: Workflow, author: str) -> bool:
    """Make the session, unless it is there with this very workflow; say whether it is new.

    Raises:
        WorkflowError: The workflow cannot run with the protocols that are here.
        CommandFailed: The session is there with another workflow.
    """
    compile_workflow(workflow, Registry(site.protocols_folder))
    site.session_folder(name)  # an impossible name is refused before anything is written
    with database.write() as connection:
        try:
            present = _present(connection, session_id_of(connection, name))
        except NoSuchSession:
            create_session(site, connection, name, workflow, author)
            return True
    if difference := _difference(present, workflow.runs):
        raise CommandFailed(
            f"The session {name} exists already, and {difference}. Continue it as it is with"
            f" `eucentric continue {name}`, change it with `eucentric revise`, or choose another --session."
        )
    return False


def _present(connection: Connection, session_id: int) -> dict[str, RunSpec]:
    """Return the runs of a session, and those that it will get when its engine starts."""
    runs = dict(workflow_of(read_runs(connection, session_id), "").runs)
    for _, command in open_commands(connection, session_id):
        if isinstance(command, Extend):
            runs |= command.runs
    return runs


def _difference(present: Mapping[str, RunSpec], wanted: Mapping[str, RunSpec]) -> str | None:
    for name, spec in wanted.items():
        if name not in present:
            return f"has no run {name}"
        there = present[name]
        if (there.protocol, there.inputs) != (spec.protocol, spec.inputs):
            return f"its run {name} is another one"
        for param in sorted({*there.params, *spec.params}):
            old, new = there.params.get(param, "the default"), spec.params.get(param, "the default")
            if old != new:
                return f"its run {name} has {param} = {old}, not {new}"
    return None


def session_name(folder: Path) -> str:
    """Return the name that a session gets from its data folder, made fit for one."""
    name = "".join(each if each.isalnum() or each in "._+-" else "_" for each in folder.name)
    return name.lstrip("._+-")[:100] or "session"
