"""`eucentric volume`: how much room a session's results take, and will."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.sending import SessionArgument
from eucentric.cli.sites import JsonOption, SiteOption, opened

if TYPE_CHECKING:
    from eucentric.engine.volume import Volume


def command(
    session: SessionArgument,
    exposures: Annotated[
        int, typer.Option(help="Forecast for so many movies in the whole session.", min=1)
    ] = 20_000,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a session's results take on disk, by run and file, and what they will.

    Measured on the newest results. What is not needed can be left out (`eucentric revise SESSION align --set
    keep=...`, `--set precision=float16`), or go after a while (`eucentric tidy`).
    """
    from eucentric.engine.sessions import session_id_of
    from eucentric.engine.volume import measure_volume

    with opened(site) as (place, database), database.read() as connection:
        number = session_id_of(connection, session)
        volume = measure_volume(connection, number, place.session_folder(session), now=time.time())
    if as_json:
        typer.echo(volume.model_dump_json(indent=2))
    else:
        _show(volume, exposures)


def _show(volume: "Volume", exposures: int) -> None:
    from rich.table import Table

    from eucentric.cli.output import console

    table = Table(box=None, header_style="dim")
    for name in ("run", "file"):
        table.add_column(name)
    for name in ("an exposure", "now", f"{exposures:,} movies"):
        table.add_column(name, justify="right")
    for each in volume.files:
        then = each.per_exposure * each.share * exposures
        table.add_row(each.run, each.name, size(each.per_exposure), size(each.bytes), size(then))
    table.add_row("", "all results", "", size(volume.bytes), size(volume.forecast(exposures)))
    raw = volume.raw / volume.found if volume.found else 0
    table.add_row("", "raw movies", size(raw), size(volume.raw), size(raw * exposures))
    printer = console()
    printer.print(table)
    printer.print(f"Free on the disk of the results: {size(volume.free)}.")
    if volume.hours_left is not None:
        printer.print(
            f"With {volume.per_hour:.0f} movies in the last hour, it is full in {volume.hours_left:.0f} h."
        )


def size(number: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"
