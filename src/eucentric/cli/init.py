"""`eucentric init`: make a site."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    folder: Annotated[Path, typer.Argument(help="Where; it may exist but hold no site yet.")],
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A PostgreSQL database, postgresql://USER@HOST/NAME; by default SQLite within the folder.",
        ),
    ] = None,
) -> None:
    """Make a site: one folder with settings, a database, and all sessions."""
    import json

    from eucentric.store import Database, Site

    folder = folder.expanduser()
    if database:
        with Database.open(database):  # before anything is made, so that a wrong URL leaves nothing behind
            # A JSON string is a TOML string as well.
            site = Site.create(folder, f"database = {json.dumps(database)}\n")
    else:
        site = Site.create(folder)
        Database.open(site).close()
    typer.echo(f"Made a site in {site.folder}; its settings are in {site.folder / 'eucentric.toml'}.")
