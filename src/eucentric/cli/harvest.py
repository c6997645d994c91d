"""`eucentric harvest`: what another program's project tells of the processing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eucentric.cli.sites import JsonOption

if TYPE_CHECKING:
    from eucentric.metadata.records import HarvestRecord


def command(
    project: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER_OR_FILE",
            help="A project of RELION or CCP-EM's pipeliner, or a workflow that Scipion exported.",
        ),
    ],
    final: Annotated[
        str | None,
        typer.Option("--final", metavar="STEP", help="The step whose result is the final one."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write it to a JSON file, for a deposit.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what another program's project tells of the processing: its steps, and what came of them.

    Steps of a kind that is not known are kept by their names. The final result is that of the last
    post-processing, or else of the last refinement; its values are those of the steps that lead to it.
    """
    from eucentric.formats.replacing import replacing
    from eucentric.interop import harvest

    found = harvest(project.expanduser(), final)
    text = found.model_dump_json(exclude_none=True, indent=2)
    if to is not None:
        with replacing(to.expanduser().absolute()) as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8")
        typer.echo(f"{to}: {len(found.record.steps)} steps.")
    elif as_json:
        typer.echo(text)
    else:
        _print(found)


def _print(found: "HarvestRecord") -> None:
    from eucentric.cli.output import console

    printer = console()
    version = f" {found.program_version}" if found.program_version else ""
    printer.print(f"{found.program}{version}, {found.project}", soft_wrap=True)
    printer.print(_steps(found))
    printer.print(_values(found))
    for sentence in found.refused:
        printer.print(sentence, soft_wrap=True, markup=False)


def _steps(found: "HarvestRecord") -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("step", "kind", "type", "software", "status", "continues", title="Steps")
    for step in found.record.steps:
        name = f"{step.name} (final)" if step.name == found.final else str(step.name)
        program = " ".join(each for each in (step.software, step.software_version) if each)
        cells = (name, step.kind, step.type, program, step.status, ", ".join(step.inputs))
        table.add_row(*(escape(str(cell or "")) for cell in cells))
    return table


def _values(found: "HarvestRecord") -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("term", "value", "unit", "from", title="Values")
    for term, known in found.record.provenance.items():
        value = f"{known.value:.6g}" if isinstance(known.value, float) else str(known.value)
        table.add_row(*map(escape, (term, value, known.unit or "", str(known.origin))))
    return table
