"""The command line of one protocol, made from what its class declares."""

import inspect
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from eucentric.cli.assignments import value_of
from eucentric.cli.do_task import do_task
from eucentric.cli.errors import CommandFailed
from eucentric.engine.ports import InputPort, ports_of
from eucentric.engine.protocol import Protocol
from eucentric.engine.registry import station_of
from eucentric.metadata import Item
from eucentric.metadata.units import unit_of
from eucentric.microscope.describe import ASKED, WITHOUT_FILE, describe, read_item


def do_app(protocol: type[Protocol]) -> typer.Typer:
    """Return the command that runs `protocol` on files, with options for all that it takes.

    Raises:
        CommandFailed: It is not a protocol that works on single exposures.
    """
    if station_of(protocol) != "exposure":
        raise CommandFailed(
            f"{protocol.name} does not work on single exposures; place it in a workflow, for `eucentric run`."
        )
    ports = ports_of(protocol).inputs
    parameters = [*_port_parameters(ports), *_field_parameters(ports)]
    parameters += _params_parameters(protocol, {each.name.split("__")[1] for each in parameters})
    parameters += [
        _parameter("out", Path, typer.Option("--out", metavar="FOLDER", help="Where results go.")),
        _parameter("as_json", bool, typer.Option("--json", help="Print the results as JSON."), False),
    ]

    def command(**given: Any) -> None:
        _do(protocol, ports, given)

    command.__doc__ = inspect.getdoc(protocol)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(command)
    return app


def _parameter(
    name: str, kind: Any, option: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, annotation=Annotated[kind, option], default=default)


def _port_parameters(ports: Mapping[str, InputPort]) -> list[inspect.Parameter]:
    """Return the parameters of the input ports: the first is the argument FILE, the others are options."""
    found = []
    for number, (name, port) in enumerate(ports.items()):
        images = " an image file or" if port.kind in ASKED else ""
        needless = port.optional or port.kind in WITHOUT_FILE
        what = f"{port.kind.__name__}:{images} an item (.json){'; may be left out' if needless else ''}."
        kind: Any = list[Path] if port.several else Path
        if number == 0:
            found.append(_parameter(f"port__{name}", kind, typer.Argument(metavar="FILE", help=what)))
        else:
            option = typer.Option(f"--{_kebab(name)}", metavar="FILE", help=what)
            default: Any = None if needless or port.several else inspect.Parameter.empty
            found.append(_parameter(f"port__{name}", kind | None if needless else kind, option, default))
    return found


def _field_parameters(ports: Mapping[str, InputPort]) -> list[inspect.Parameter]:
    """Return an option for each field of an item that no file tells."""
    asked: dict[str, tuple[FieldInfo, Any]] = {}
    for port in ports.values():
        for name, default in ASKED.get(port.kind, {}).items():
            field = port.kind.model_fields[name]
            asked.setdefault(f"gain_{name}" if port.kind.kind == "gain" else name, (field, default))
    return [
        _option(f"field__{name}", name, field, "what the file says" if default is None else default)
        for name, (field, default) in asked.items()
    ]


def _params_parameters(protocol: type[Protocol], taken: set[str]) -> list[inspect.Parameter]:
    return [
        _option(
            f"param__{name}",
            f"param_{name}" if name in taken else name,
            field,
            "required" if field.is_required() else field.get_default(call_default_factory=True),
        )
        for name, field in protocol.Params.model_fields.items()
    ]


def _option(name: str, shown: str, field: FieldInfo, default: Any) -> inspect.Parameter:
    kind = _option_type(field.annotation)
    unit = unit_of(field)
    text = (field.description or shown.replace("_", " ")).rstrip(".")
    told = (
        f"{default:g}"
        if type(default) is float
        else default
        if isinstance(default, str)
        else json.dumps(default)
    )
    flag = f"--{_kebab(shown)}"
    option = typer.Option(
        f"{flag}/--no-{_kebab(shown)}" if kind is bool else flag,
        help=f"{text}{f' [{unit}]' if unit else ''}; default: {told}.",
        show_default=False,
    )
    return _parameter(name, kind | None, option, None)


def _option_type(annotation: Any) -> Any:
    """Return what the command line takes for a field: a number, a choice, a switch, or (else) JSON text."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        kinds = [each for each in get_args(annotation) if each is not NoneType]
        return _option_type(kinds[0]) if len(kinds) == 1 else str
    if get_origin(annotation) is Literal:
        if all(type(each) is int for each in get_args(annotation)):
            return int
        return Enum("Choice", {str(each): each for each in get_args(annotation)}, type=str)
    return annotation if annotation in (int, float, bool) else str


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _do(protocol: type[Protocol], ports: Mapping[str, InputPort], given: Mapping[str, Any]) -> None:
    """Make the items, run the protocol, and print what it made."""
    fields = _starting_with("field__", given)
    params = protocol.Params.model_validate(
        {
            name: value_of(value) if type(value) is str else value
            for name, value in _starting_with("param__", given).items()
        }
    )
    files = _starting_with("port__", given)
    items = {name: _input(name, port, files.get(name), fields) for name, port in ports.items()}
    first = files[next(iter(ports))]
    label = _label(first[0] if isinstance(first, list) else first)
    result, file = do_task(protocol(params), items, given["out"].expanduser(), label)
    typer.echo(json.dumps(result, indent=2, ensure_ascii=False) if given["as_json"] else f"Wrote {file}.")


def _label(file: Path) -> str:
    """Return what results are named by: the file without ending, an item without the protocol it is from."""
    return (file.stem.rpartition(".")[0] or file.stem) if file.suffix == ".json" else file.stem


def _starting_with(prefix: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value.value if isinstance(value, Enum) else value
        for name, value in given.items()
        if name.startswith(prefix) and value is not None
    }


def _input(
    port: str, declared: InputPort, files: Path | list[Path] | None, fields: Mapping[str, Any]
) -> Item | list[Item] | None:
    if isinstance(files, list) or declared.several:
        return [_item(port, declared.kind, file, fields) for file in files or []]  # type: ignore[union-attr]
    if files is None:
        return None if declared.optional else WITHOUT_FILE[declared.kind]
    return _item(port, declared.kind, files, fields)


def _item(port: str, kind: type[Item], file: Path, fields: Mapping[str, Any]) -> Item:
    file = file.expanduser()
    if file.suffix == ".json":
        return read_item(kind, file, port)
    if kind not in ASKED:
        raise CommandFailed(
            f"{file} cannot be taken as {port}: give the item ({kind.kind}) as the .json file that"
            " `eucentric do` of the step before it wrote."
        )
    prefix = "gain_" if kind.kind == "gain" else ""
    return describe(kind, file, {name.removeprefix(prefix): value for name, value in fields.items()})
