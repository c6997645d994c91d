"""`eucentric run`: process a folder, live."""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.monitoring import MonitorOption
from eucentric.cli.sites import DEFAULT_SITE, SiteOption, find_site, user

if TYPE_CHECKING:
    from eucentric.store import Site

InlineOption = Annotated[
    bool, typer.Option("--inline", help="Compute in this process, one task after another; for debugging.")
]
UntilIdleOption = Annotated[
    bool, typer.Option("--until-idle", help="End when everything that is there is worked on.")
]
TOLD = "What the microscope says otherwise"


def command(
    workflow: Annotated[str, typer.Argument(help="A built-in workflow or a JSON file.")],
    folder: Annotated[
        list[Path],
        typer.Option("--input", metavar="FOLDER", help="Where the movies come. May be repeated."),
    ],
    diameter: Annotated[
        float | None, typer.Option(help="Diameter of the particles [Å]; needed where a workflow picks them.")
    ] = None,
    site: SiteOption = None,
    session: Annotated[
        str | None, typer.Option(metavar="NAME", help="The session; by default named as the input folder.")
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option(help="Pixel size of the movies [Å/px].", rich_help_panel=TOLD)
    ] = None,
    voltage: Annotated[
        float | None, typer.Option(help="Acceleration voltage [kV].", rich_help_panel=TOLD)
    ] = None,
    dose: Annotated[
        float | None,
        typer.Option(help="Dose of a movie [e⁻/Å²]; 0 where it is not known.", rich_help_panel=TOLD),
    ] = None,
    dose_per_frame: Annotated[
        float | None, typer.Option(help="Dose of one frame instead [e⁻/Å²].", rich_help_panel=TOLD)
    ] = None,
    gain: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gain reference.", rich_help_panel=TOLD)
    ] = None,
    no_gain: Annotated[
        bool, typer.Option("--no-gain", help="The movies are corrected already.", rich_help_panel=TOLD)
    ] = False,
    gain_operation: Annotated[
        str | None,
        typer.Option(help="What is done to the counts: multiply or divide.", rich_help_panel=TOLD),
    ] = None,
    gain_rotation: Annotated[
        int | None,
        typer.Option(help="Degrees counter-clockwise to turn it: 0, 90, 180, 270.", rich_help_panel=TOLD),
    ] = None,
    gain_flip: Annotated[
        str | None,
        typer.Option(help="Then flip it: none, left-right, top-bottom.", rich_help_panel=TOLD),
    ] = None,
    defects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Known bad pixels.", rich_help_panel=TOLD)
    ] = None,
    dark: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Dark reference.", rich_help_panel=TOLD)
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(help="Frames of a movie: one with so many is complete.", rich_help_panel=TOLD),
    ] = None,
    spherical_aberration: Annotated[
        float | None, typer.Option(help="Spherical aberration [mm]; default: the registry's, else 2.7.")
    ] = None,
    amplitude_contrast: Annotated[
        float | None, typer.Option(help="Fraction of amplitude contrast; default 0.1.")
    ] = None,
    eer_upsampling: Annotated[
        int | None, typer.Option(help="1: EER movies at the camera's size (default); 2: twice as fine.")
    ] = None,
    eer_fractions: Annotated[
        int | None, typer.Option(help="Fractions of an EER movie; default: one for every e⁻/Å².")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="RUN.PARAM=VALUE", help="Any parameter of a run. May be repeated."),
    ] = None,
    until_idle: UntilIdleOption = False,
    inline: InlineOption = False,
    monitor: MonitorOption = True,
) -> None:
    """Process movies as they come, in a new session or one that was begun before.

    It goes on until Ctrl-C, which ends it in good order (twice: at once); the same command, or
    `eucentric continue`, takes it up again. In folders of EPU or SerialEM pixel size, voltage, dose and gain
    reference are found; what is given here counts more. A site is made in the --site folder, or as
    eucentric-site in the working folder, where there is none.
    """
    from eucentric.cli.assignments import run_assignments
    from eucentric.cli.preparing import begin_session, fill_in, session_name
    from eucentric.engine.registry import Registry
    from eucentric.store import Database
    from eucentric.techniques.workflows import find_workflow

    chosen = find_workflow(workflow)
    given = [each.expanduser() for each in folder]
    folders = [each.resolve() if ".." in each.parts else each.absolute() for each in given]
    common = {
        "folders": [str(each) for each in folders],
        "diameter": diameter,
        "gain": _file(gain, "gain"),
        "no_gain": no_gain or None,
        "gain_operation": gain_operation,
        "gain_rotation": gain_rotation,
        "gain_flip": gain_flip,
        "defects": _file(defects, "defects"),
        "dark": _file(dark, "dark"),
        "pixel_size": pixel_size,
        "voltage": voltage,
        "dose": dose,
        "dose_per_frame": dose_per_frame,
        "spherical_aberration": spherical_aberration,
        "amplitude_contrast": amplitude_contrast,
        "eer_upsampling": eer_upsampling,
        "eer_fractions": eer_fractions,
        "expected_frames": frames,
    }
    own = run_assignments(setting or [])
    _check(folders)
    where = _place(site, folders)
    # What is wrong with the words is said before a site is made.
    fill_in(chosen, Registry(where / "protocols"), common, own)
    place = _site(where, is_told=site is None)
    filled = fill_in(chosen, Registry(place.protocols_folder), common, own)
    name = session or session_name(folders[0])
    with Database.open(place) as database:
        begin_session(place, database, name, filled, user())
    run_to_the_end(place, name, inline=inline, until_idle=until_idle, monitor=monitor)


def _check(folders: list[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise CommandFailed(f"{folder} is not a folder; give the one where the movies come as --input.")


def _file(path: Path | None, option: str) -> str | None:
    if path is None:
        return None
    if not path.expanduser().is_file():
        raise CommandFailed(f"{path} is not a file; give the right one as --{option}.")
    return str(path.expanduser().absolute())


def _place(folder: Path | None, inputs: list[Path]) -> Path:
    """Return where the site is or will be: what was asked for, else the nearest, else the working folder."""
    chosen = folder.expanduser() if folder else Path.cwd() / DEFAULT_SITE
    if folder is None:
        with contextlib.suppress(CommandFailed):
            chosen = find_site(None).folder
    for each in inputs:
        if chosen.resolve().is_relative_to(each.resolve()):
            raise CommandFailed(
                f"The site {chosen} would lie in {each}, among the raw data; call the command in another"
                " folder, or give one with --site."
            )
    return chosen


def _site(folder: Path, *, is_told: bool) -> "Site":
    """Open the site, or make it; tell so on stderr where nobody asked for it."""
    from eucentric.store import Site
    from eucentric.store.site import SETTINGS

    if (folder / SETTINGS).exists():
        return Site.open(folder)
    if is_told:
        typer.echo(f"There is no site yet: {folder} is made, where results go.", err=True)
    return Site.create(folder)


def run_to_the_end(site: "Site", session: str, *, inline: bool, until_idle: bool, monitor: bool) -> None:
    """Run the engine of a session, say how it stands, and end with the code for that."""
    from eucentric.cli.running import exit_code, run_session, say_how_it_stands
    from eucentric.store import Database

    logging.getLogger("eucentric.import").setLevel(logging.INFO)  # what is understood of the movies
    with Database.open(site) as database:
        look = run_session(site, database, session, inline=inline, until_idle=until_idle, monitor=monitor)
    say_how_it_stands(look, site.session_folder(session))
    raise typer.Exit(exit_code(look))
