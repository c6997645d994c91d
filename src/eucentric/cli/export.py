"""`eucentric export`: results in the form that other programs continue from."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.output import progress_bar
from eucentric.cli.sending import SessionArgument
from eucentric.cli.sites import SiteOption, opened

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from eucentric.techniques.single_particle.relion_exposures import ExportedExposure


class Program(StrEnum):
    """The programs that can continue from what is written."""

    relion = "relion"


def command(
    program: Annotated[Program, typer.Argument(help="The program that shall continue.")],
    session: SessionArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The project's folder, to be made.")],
    acquisition: Annotated[
        list[str] | None,
        typer.Option("--acquisition", "-a", help="Only this acquisition; may be given several times."),
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy images instead of linking to them.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Replace what was exported before; RELION's own jobs stay.")
    ] = False,
    site: SiteOption = None,
) -> None:
    """Write a session's results as a project that another program opens and continues from.

    RELION 3.1 or later: the accepted exposures with their movies, micrographs, CTFs, picks and particles.
    """
    from eucentric.techniques.single_particle.relion_project import write_relion_project

    with opened(site) as (place, database):
        with database.read() as connection:
            exposures = _accepted(connection, session, acquisition or [])
        if not exposures:
            raise CommandFailed(
                f"The session {session} has no accepted exposure with a fitted CTF"
                + (f" in {', '.join(acquisition)}" if acquisition else "")
                + " yet; look with `eucentric status`."
            )
        with progress_bar("Exporting") as progress:
            particles = write_relion_project(
                folder.expanduser().absolute(),
                place.session_folder(session),
                exposures,
                copy=copy,
                update=update,
                progress=progress,
            )
    counts = f"{len(exposures)} micrographs, {particles} particles"
    typer.echo(f"{folder}: {counts}. Start {program} in this folder.")
    if any(each.particles is not None and each.particles.phase_flipped for each in exposures):
        typer.echo('The phases of the particles are flipped: say "Have data been phase-flipped? Yes".')


def _accepted(connection: "Connection", session: str, acquisitions: list[str]) -> "list[ExportedExposure]":
    """Return the exposures that nothing has rejected, as far as they have a CTF."""
    from eucentric.engine.sessions import session_id_of
    from eucentric.metadata import Item
    from eucentric.monitors.exposures import SessionRecord
    from eucentric.techniques.single_particle.relion_exposures import ExportedExposure

    record = SessionRecord(session_id_of(connection, session))
    record.update(connection)
    if unknown := set(acquisitions) - set(record.acquisitions):
        there = ", ".join(record.acquisitions) or "none yet"
        raise CommandFailed(f"There is no acquisition {', '.join(sorted(unknown))}; there are: {there}.")
    found = []
    for each in record.exposures():
        if acquisitions and each.acquisition not in acquisitions:
            continue
        if each.state in ("rejected", "failed") or not {"micrograph", "ctf"} <= set(each.items):
            continue
        kinds = {"movie", "micrograph", "ctf", "coordinates", "particles"} & set(each.items)
        items = {kind: Item.kinds[kind].model_validate(each.items[kind]) for kind in kinds}
        if gain := record.shared.get(each.acquisition, {}).get("gain"):
            items["gain"] = Item.kinds["gain"].model_validate(gain)
        found.append(ExportedExposure(path=each.path, **items))  # type: ignore[arg-type]
    return found
