"""`eucentric deposit prepare`: a checked package for a repository, and what a person must still decide."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import SiteOption, opened, site_here

if TYPE_CHECKING:
    from eucentric.cli.deposit_sources import Source
    from eucentric.metadata.records import HarvestRecord
    from eucentric.publish import Description

app = typer.Typer(no_args_is_help=True, help="Packages for repositories.")

TEMPLATE = """# What only people can say; it serves every repository.
# Complete it, then prepare the deposit again.
title = ""                   # at least ten letters
abstract = ""
keywords = ["cryo-EM"]
licence = "CC0-1.0"          # CC0-1.0, CC-BY-4.0, CC-BY-SA-4.0 or CC-BY-NC-4.0
release = "now"              # now, with the map, with the publication, after a year
scale = "molecule"           # molecule, virus, cell, tissue, organism

# One table for each author, in their order.
[[authors]]
given_name = ""
family_name = ""
# orcid = "0000-0002-1825-0097"
# email = "name@example.org"
# corresponding = true
# principal_investigator = true
# [authors.affiliation]
# name = "ORGANISATION"
# ror = "https://ror.org/05dxps055"
# country = "CH"

# [[funding]]
# funder = "FUNDER"
# award = "NUMBER"

# [citation]
# title = "TITLE OF THE PUBLICATION"
# doi = "10.1038/nmicrobiol.2016.269"
"""


class Target(StrEnum):
    """The repositories that packages are made for."""

    empiar = "empiar"
    emdb = "emdb"
    zenodo = "zenodo"


class Files(StrEnum):
    """What files there are of every exposure."""

    movies = "movies"
    micrographs = "micrographs"
    particles = "particles"


_USUAL = {
    Target.empiar: [Files.movies, Files.micrographs],
    Target.emdb: [],
    Target.zenodo: [Files.micrographs, Files.particles],
}


@app.callback()
def command() -> None:
    """Prepare packages for repositories: metadata, files and checksums, checked as far as can be."""


@app.command("prepare")
def prepare(
    to: Annotated[Target, typer.Option("--to", help="The repository.")],
    session: Annotated[
        str | None,
        typer.Argument(metavar="SESSION", help="The session; left out, the project alone is deposited."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The package; by default SESSION-REPOSITORY, here."),
    ] = None,
    description: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What people say (TOML); by default deposit.toml in the session's folder, or here.",
        ),
    ] = None,
    processing: Annotated[
        Path | None,
        typer.Option(
            metavar="PROJECT",
            help="Where it was processed further: a project of RELION or CCP-EM's pipeliner, a workflow of"
            " Scipion, or a file that `eucentric harvest` wrote.",
        ),
    ] = None,
    raw: Annotated[
        list[Path] | None,
        typer.Option(
            "--raw",
            metavar="FILE_OR_FOLDER",
            help="Without a session: the microscope's files; may be repeated.",
        ),
    ] = None,
    acquisition: Annotated[
        list[str] | None,
        typer.Option("--acquisition", "-a", help="Only this acquisition; may be given several times."),
    ] = None,
    files: Annotated[
        list[Files] | None, typer.Option("--files", help="Files to put in; may be given several times.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy files instead of linking to them.")] = False,
    site: SiteOption = None,
) -> None:
    """Make a package: metadata in the repository's form, files, checksums, and what is open.

    It is made of a session, of a session that another program continued, or of that program's project alone.
    What only people can say is read from a TOML file; where there is none yet, one is written to be
    completed. Nothing is sent anywhere.
    """
    from eucentric.cli.deposit_package import package_of
    from eucentric.interop import harvest
    from eucentric.publish.package import write_package

    kinds = [each.value for each in files or _USUAL[to]]
    harvested = harvest(processing.expanduser()) if processing else None
    if session is not None:
        if raw:
            raise CommandFailed("A session knows the files of its microscope; leave out --raw.")
        described, source = _of_session(site, session, description, acquisition or [], kinds)
    elif harvested is not None:
        described = _described(description or Path("deposit.toml"))
        source = _of_project(site, harvested, raw or [], acquisition or [], kinds)
    else:
        raise CommandFailed("Name a session, or give another program's project with --processing.")
    if harvested is not None:
        from eucentric.cli.deposit_sources import continue_with

        continue_with(source, harvested)
    package = package_of(to, described, source)
    name = session or Path(harvested.project if harvested else "").name
    folder = (out or Path(f"{name}-{to}")).expanduser().absolute()
    with _shown() as progress:
        checksums = write_package(folder, package, copy=copy, progress=progress)
    typer.echo(f"{folder}: {len(checksums)} files with checksums.")
    if missing := package.missing():
        typer.echo("Still to be decided or given (TO_DECIDE.md):")
        for each in missing:
            typer.echo(f"- {each}")


def _of_session(
    site: Path | None, session: str, description: Path | None, names: list[str], files: list[str]
) -> "tuple[Description, Source]":
    from eucentric.cli.deposit_sources import of_session

    with opened(site) as (place, database), database.read() as connection:
        described = _described(description or place.session_folder(session) / "deposit.toml")
        return described, of_session(place, connection, session, names, files)


def _of_project(
    site: Path | None, harvested: "HarvestRecord", raw: list[Path], names: list[str], files: list[str]
) -> "Source":
    from eucentric.cli.deposit_sources import of_project

    return of_project(site_here(site), harvested, [path.expanduser() for path in raw], names, files)


def _described(file: Path) -> "Description":
    from eucentric.publish import read_description

    if not file.exists():
        file.write_text(TEMPLATE, encoding="utf-8")
        raise CommandFailed(
            f"What only people can say is not written down yet: complete {file}, which was made for it, and"
            " prepare the deposit again."
        )
    return read_description(file)


@contextmanager
def _shown() -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr; what is given shows the fraction done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task("Reading files for their checksums", total=1.0)
        yield lambda fraction: bars.update(bar, completed=fraction)
