"""Which site a command is about, and what its options look like everywhere."""

import contextlib
import getpass
import os
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
        help="The site's folder; by default the nearest above, or an eucentric-site in one above.",
    ),
]
DEFAULT_SITE = "eucentric-site"
"""Name of the folder of the site that `eucentric run` makes in the working folder where there is none."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def find_site(folder: Path | None) -> "Site":
    """Open the site in `folder`, or the nearest: the working folder, one above, or `eucentric-site` in them.

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
        for place in (each, each / DEFAULT_SITE):
            if (place / SETTINGS).is_file():
                return Site.open(place)
    raise CommandFailed(
        f"{here} is not within a site; give one with --site FOLDER or the environment variable"
        " EUCENTRIC_SITE, or make one with `eucentric init FOLDER`."
    )


def registry_here(folder: Path | None) -> "Registry":
    """Return the protocols of the site, as `find_site`, or those installed where there is no site."""
    from eucentric.engine.registry import Registry

    site = site_here(folder)
    return Registry(site.protocols_folder if site else None)


def site_here(folder: Path | None) -> "Site | None":
    """Open the site, as `find_site`, if there is one; EUCENTRIC_SITE names it for commands without --site."""
    named = os.environ.get("EUCENTRIC_SITE")
    try:
        return find_site(folder or (Path(named) if named else None))
    except CommandFailed:
        return None


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
