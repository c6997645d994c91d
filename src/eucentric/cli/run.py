"""`eucentric run`: process a folder, live."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.sites import SiteOption, find_site, user

if TYPE_CHECKING:
    from eucentric.store import Site

InlineOption = Annotated[
    bool, typer.Option("--inline", help="Compute in this process, one task after another; for debugging.")
]
UntilIdleOption = Annotated[
    bool, typer.Option("--until-idle", help="End when everything that is there is worked on.")
]


def command(
    workflow: Annotated[str, typer.Argument(help="A built-in workflow or a JSON file.")],
    folder: Annotated[
        list[Path],
        typer.Option("--input", metavar="FOLDER", help="Where the movies come. May be repeated."),
    ],
    site: SiteOption = None,
    session: Annotated[
        str | None, typer.Option(metavar="NAME", help="The session; by default named as the input folder.")
    ] = None,
    gain: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Gain reference; none where movies are corrected."),
    ] = None,
    gain_operation: Annotated[
        str | None, typer.Option(help="What is done to the counts with it: multiply (default) or divide.")
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option(help="Pixel size of the movies [Å/px]; by default what the files say.")
    ] = None,
    voltage: Annotated[float | None, typer.Option(help="Acceleration voltage [kV]; default 300.")] = None,
    spherical_aberration: Annotated[
        float | None, typer.Option(help="Spherical aberration [mm]; default 2.7.")
    ] = None,
    amplitude_contrast: Annotated[
        float | None, typer.Option(help="Fraction of amplitude contrast; default 0.1.")
    ] = None,
    dose_per_frame: Annotated[
        float | None, typer.Option(help="Dose of one frame [e⁻/Å²]; default 1, 0 where it is not known.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(help="Frames of a movie: one with so many is complete.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="RUN.PARAM=VALUE", help="Any parameter of a run. May be repeated."),
    ] = None,
    until_idle: UntilIdleOption = False,
    inline: InlineOption = False,
) -> None:
    """Process movies as they come, in a new session or one that was begun before.

    It goes on until Ctrl-C, which ends it in good order (twice: at once); the same command, or
    `eucentric continue`, takes it up again. A site is made in the --site folder where there is none.
    """
    from eucentric.cli.assignments import run_assignments
    from eucentric.cli.preparing import begin_session, fill_in, session_name
    from eucentric.engine.registry import Registry
    from eucentric.store import Database
    from eucentric.techniques.workflows import find_workflow

    chosen = find_workflow(workflow)
    folders = [each.expanduser().absolute() for each in folder]
    _check(folders, gain)
    common = {
        "folders": [str(each) for each in folders],
        "gain": str(gain.expanduser().absolute()) if gain else None,
        "gain_operation": gain_operation,
        "pixel_size": pixel_size,
        "voltage": voltage,
        "spherical_aberration": spherical_aberration,
        "amplitude_contrast": amplitude_contrast,
        "dose_per_frame": dose_per_frame,
        "expected_frames": frames,
    }
    place = _site(site)
    filled = fill_in(chosen, Registry(place.protocols_folder), common, run_assignments(setting or []))
    name = session or session_name(folders[0])
    with Database.open(place) as database:
        begin_session(place, database, name, filled, user())
    run_to_the_end(place, name, inline=inline, until_idle=until_idle)


def _check(folders: list[Path], gain: Path | None) -> None:
    from eucentric.cli.errors import CommandFailed

    for folder in folders:
        if not folder.is_dir():
            raise CommandFailed(f"{folder} is not a folder; give the one where the movies come as --input.")
    if gain is not None and not gain.expanduser().is_file():
        raise CommandFailed(f"{gain} is not a file; give the gain reference as --gain.")


def _site(folder: Path | None) -> "Site":
    """Open the site, or make it where it was asked for."""
    from eucentric.store import Site
    from eucentric.store.site import SETTINGS

    if folder is not None and not (folder.expanduser() / SETTINGS).exists():
        return Site.create(folder.expanduser())
    return find_site(folder)


def run_to_the_end(site: "Site", session: str, *, inline: bool, until_idle: bool) -> None:
    """Run the engine of a session, say how it stands, and end with the code for that."""
    from eucentric.cli.running import exit_code, run_session, say_how_it_stands
    from eucentric.store import Database

    with Database.open(site) as database:
        look = run_session(site, database, session, inline=inline, until_idle=until_idle)
    say_how_it_stands(look, site.session_folder(session))
    raise typer.Exit(exit_code(look))
