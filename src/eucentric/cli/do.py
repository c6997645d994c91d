"""`eucentric do`: run one protocol alone, on files."""

from typing import Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import registry_here

CONTEXT = {"allow_extra_args": True, "allow_interspersed_args": False}


def command(
    context: typer.Context,
    protocol: Annotated[
        str | None, typer.Argument(metavar="PROTOCOL FILE...", help="Which, and what to work on.")
    ] = None,
) -> None:
    """Run one protocol alone on files: no site, no session.

    `eucentric do PROTOCOL --help` shows what it takes; `eucentric protocols` lists them. A FILE is an image,
    or an item in JSON as --json prints it. Results get a folder of their own within --out.
    """
    from eucentric.cli.do_command import do_app

    if protocol is None:
        typer.echo(context.get_help())
        raise typer.Exit
    registry = registry_here(None)
    found = registry.get(protocol)
    if found is None:
        why = registry.broken.get(protocol)
        raise CommandFailed(
            f"The protocol {protocol} cannot be loaded: {why}."
            if why
            else f"There is no protocol {protocol}; there are {', '.join(registry)}."
        )
    do_app(found)(context.args, prog_name=f"eucentric do {protocol}", standalone_mode=False)
