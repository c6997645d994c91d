"""`eucentric report`: the report of a session, now."""

from pathlib import Path
from typing import Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import SiteOption, opened


def command(
    session: Annotated[str, typer.Argument(help="The session.")],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it there; by default in the session's `report` folder."),
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the printed report there, and no page.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it.")] = False,
    site: SiteOption = None,
) -> None:
    """Write the report of a session from what is in the database; the session need not run."""
    from eucentric.monitors.monitor import write_report
    from eucentric.monitors.pdf import write_pdf

    if pdf is not None and html is not None:
        raise CommandFailed("--pdf and --html write two different reports; give one of them.")
    with opened(site) as (place, database):
        if pdf is not None:
            file = pdf.expanduser()
            write_pdf(place, database, session, file)
        else:
            file = write_report(place, database, session, html.expanduser() if html else None)
    typer.echo(str(file))
    if show:
        typer.launch(file.absolute().as_uri())
