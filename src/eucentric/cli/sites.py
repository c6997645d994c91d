"""Which site a command is about, and what its options look like everywhere."""

import contextlib
import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed

if TYPE_CHECKING:
    from eucentric.engine.registry import Registry
    from eucentric.store import Database, Site

SiteOption = Annotated[
    Path | None,
    typer.Option(
        "--site",
        metavar="FOLDER",
        envvar="EUCENTRIC_SITE",
        help="The site's folder; by default the nearest one above that is a site.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def find_site(folder: Path | None) -> "Site":
    """Open the site in `folder`, or the nearest above the working folder.

    Raises:
        CommandFailed: There is none.
        SiteError: The folder is no site, or its settings are wrong.
    """
    from eucentric.store import Site
    from eucentric.store.site import SETTINGS

    if folder is not None:
        return Site.open(folder.expanduser())
    here = Path.cwd()
    for each in (here, *here.parents):
        if (each / SETTINGS).is_file():
            return Site.open(each)
    raise CommandFailed(
        f"{here} is not within a site; give one with --site FOLDER or the environment variable"
        " EUCENTRIC_SITE, or make one with `eucentric init FOLDER`."
    )


def registry_here(folder: Path | None) -> "Registry":
    """Return the protocols of the site, as `find_site`, or those installed where there is no site."""
    from eucentric.engine.registry import Registry

    try:
        return Registry(find_site(folder).protocols_folder)
    except CommandFailed:
        return Registry()


@contextlib.contextmanager
def opened(folder: Path | None) -> Iterator[tuple["Site", "Database"]]:
    """Open a site, as `find_site`, with its database."""
    from eucentric.store import Database

    site = find_site(folder)
    with Database.open(site) as database:
        yield site, database


def user() -> str:
    """Return who gives commands, as it is written down with them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in some containers
        return "unknown"
