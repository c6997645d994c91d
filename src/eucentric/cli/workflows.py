"""`eucentric workflows`: list, print and check workflows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.sites import JsonOption, SiteOption, registry_here

if TYPE_CHECKING:
    from eucentric.engine.registry import Registry
    from eucentric.engine.workflow import RunSpec


def command(
    name: Annotated[str | None, typer.Argument(help="A built-in workflow, to print it.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of workflows.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check a workflow of your own."),
    ] = None,
    as_json: JsonOption = False,
    site: SiteOption = None,
) -> None:
    """List the built-in workflows, print one, or check one of your own."""
    from eucentric.engine.workflow import dump_workflow, workflow_schema
    from eucentric.techniques.workflows import builtin_workflows, find_workflow

    if schema:
        typer.echo(json.dumps(workflow_schema(), indent=2, ensure_ascii=False))
    elif check is not None:
        _check(check, registry_here(site))
    elif name is not None:
        typer.echo(dump_workflow(find_workflow(name)), nl=False)
    elif as_json:
        found = [each.model_dump(exclude_defaults=True) for each in builtin_workflows().values()]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for each in builtin_workflows().values():
            typer.echo(f"{each.name}: {each.description}\n  runs: {', '.join(each.runs)}")


def _check(file: Path, registry: "Registry") -> None:
    from eucentric.engine.workflow import compile_workflow, read_workflow

    workflow = read_workflow(file)
    runs = {name: _with_folders(spec, registry) for name, spec in workflow.runs.items()}
    compile_workflow(workflow.model_copy(update={"runs": runs}), registry)
    typer.echo(f"{file} is a workflow that can run; its runs are {', '.join(runs)}.")


def _with_folders(spec: "RunSpec", registry: "Registry") -> "RunSpec":
    """Fill in what `eucentric run --input` does, so that a workflow may leave it open."""
    from eucentric.engine.protocol import Source

    protocol = registry.get(spec.protocol)
    if protocol and issubclass(protocol, Source) and "folders" in protocol.Params.model_fields:
        return spec.model_copy(update={"params": {"folders": ["."], **spec.params}})
    return spec
