"""`eucentric protocols`: list protocols, or describe one."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import JsonOption, SiteOption, registry_here

if TYPE_CHECKING:
    from eucentric.engine.protocol import Protocol
    from eucentric.engine.registry import Registry


def command(
    name: Annotated[str | None, typer.Argument(help="A protocol, to describe it.")] = None,
    as_json: JsonOption = False,
    site: SiteOption = None,
) -> None:
    """List the protocols that are here, or describe one: ports, parameters with units, resources.

    With --json the parameters are described by their JSON Schema.
    """
    registry = registry_here(site)
    known = {each: found for each in list(registry) if (found := registry.get(each)) is not None}
    if name is not None and name not in known:
        why = registry.broken.get(name)
        raise CommandFailed(
            f"The protocol {name} cannot be loaded: {why}."
            if why
            else f"There is no protocol {name}; there are {', '.join(known) or 'none'}."
        )
    shown = [known[name]] if name else list(known.values())
    if as_json:
        described: Any = [_described(each) for each in shown]
        whole = {"protocols": described, "broken": registry.broken}
        typer.echo(json.dumps(described[0] if name else whole, indent=2, ensure_ascii=False))
    elif name:
        _describe(shown[0])
    else:
        _list(shown, registry)


def _summary(protocol: "type[Protocol]") -> str:
    return " ".join((protocol.__doc__ or "").strip().split("\n\n")[0].split())


def _list(protocols: "list[type[Protocol]]", registry: "Registry") -> None:
    width = max((len(each.name) for each in protocols), default=0)
    for each in protocols:
        typer.echo(f"{each.name:<{width}}  {_summary(each)}")
    for name, why in registry.broken.items():
        typer.echo(f"{name} cannot be loaded: {why}", err=True)


def _described(protocol: "type[Protocol]") -> dict[str, Any]:
    from eucentric.engine.ports import ports_of
    from eucentric.engine.registry import station_of

    ports = ports_of(protocol)
    return {
        "name": protocol.name,
        "version": protocol.version,
        "description": _summary(protocol),
        "kind": station_of(protocol),
        "inputs": {
            port: {"item": each.kind.kind, "several": each.several, "optional": each.optional}
            for port, each in ports.inputs.items()
        },
        "outputs": {port: kind.kind for port, kind in ports.outputs.items()},
        "resources": protocol.resources.model_dump(),
        "params": protocol.Params.model_json_schema(),
    }


def _describe(protocol: "type[Protocol]") -> None:
    from rich.table import Table

    from eucentric.cli.output import console
    from eucentric.metadata.units import unit_of

    described = _described(protocol)
    printer = console()
    printer.print(f"{protocol.name}, version {protocol.version}: {described['description']}")
    for port, each in described["inputs"].items():
        notes = [note for note in ("several", "optional") if each[note]]
        printer.print(f"  input   {port}: {each['item']}{' (' + ', '.join(notes) + ')' if notes else ''}")
    for port, kind in described["outputs"].items():
        printer.print(f"  output  {port}: {kind}")
    needs = protocol.resources
    gpu = ", a GPU where there is one" if needs.gpus else ""
    printer.print(f"  needs   {needs.cpus} CPU, {needs.memory.human_readable(decimal=True)}{gpu}")
    table = Table("parameter", "default", "unit", "what it is", box=None, header_style="dim", pad_edge=True)
    for name, field in protocol.Params.model_fields.items():
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        default = "(required)" if field.is_required() else json.dumps(value)
        table.add_row(name, default, unit_of(field) or "", field.description or "")
    if table.row_count:
        printer.print()
        printer.print(table)
