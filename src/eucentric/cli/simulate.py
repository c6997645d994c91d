"""`eucentric simulate`: write a session as a microscope would, of which everything is known."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.interrupts import on_interrupt
from eucentric.cli.sites import JsonOption

if TYPE_CHECKING:
    from eucentric.microscope.simulate.settings import SimulatedGrid, SimulationSettings

FAULTS = (
    "empty",
    "drifting",
    "thick-ice",
    "carbon",
    "crystalline-ice",
    "contaminated",
    "astigmatic",
    "off-target",
    "dim",
    "dropped-frames",
    "truncated",
    "zero-byte",
)
"""What can be wrong with an exposure on purpose; a test holds it equal to the simulator's own list."""


class Format(StrEnum):
    """Formats of simulated movies."""

    TIFF = "tiff"
    INT8 = "mrc-int8"
    INT16 = "mrc-int16"
    FLOAT32 = "mrc-float32"
    EER = "eer"


class LayoutName(StrEnum):
    """Layouts of folders."""

    PLAIN = "plain"
    EPU = "epu"
    SERIALEM = "serialem"


def command(
    folder: Annotated[Path, typer.Argument(help="Where to write the session, and truth.json.")],
    exposures: Annotated[int, typer.Option(help="Number of exposures.")] = 8,
    interval: Annotated[
        float, typer.Option(help="Time from one to the next [s]; 0: as fast as possible.")
    ] = 0,
    width: Annotated[int, typer.Option(help="Columns of a frame [px].")] = 1024,
    height: Annotated[int, typer.Option(help="Rows of a frame [px].")] = 1024,
    frames: Annotated[int, typer.Option(help="Frames of a movie.")] = 16,
    pixel_size: Annotated[float, typer.Option(help="Pixel size [Å/px].")] = 1.2,
    dose: Annotated[float, typer.Option(help="Dose of a movie [e⁻/Å²].")] = 40,
    voltage: Annotated[float, typer.Option(help="Acceleration voltage [kV].")] = 300,
    min_defocus: Annotated[float, typer.Option(help="Smallest intended underfocus [Å].")] = 10_000,
    max_defocus: Annotated[float, typer.Option(help="Largest intended underfocus [Å].")] = 22_000,
    particles: Annotated[int, typer.Option(help="Particles in a frame.")] = 30,
    layout: Annotated[
        LayoutName, typer.Option(help="Whose way of naming files, and whose metadata.")
    ] = LayoutName.PLAIN,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,...]",
            help="A grid; each has an equal part of the exposures. KEY: pixel_size, dose, particles,"
            " min_defocus, max_defocus, ice_thickness. May be repeated.",
        ),
    ] = None,
    movie_format: Annotated[Format, typer.Option("--format", help="Format of the movies.")] = Format.TIFF,
    growing: Annotated[bool, typer.Option("--growing", help="Movies grow under their final name.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="N=KIND",
            help=f"Make exposure N bad on purpose: {', '.join(FAULTS)}. May be repeated.",
        ),
    ] = None,
    metadata_delay: Annotated[
        float, typer.Option(help="How much later than its movie its metadata file comes [s].")
    ] = 0,
    no_metadata: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Exposure N has no metadata file. May be repeated."),
    ] = None,
    name: Annotated[str, typer.Option(help="What file names begin with.")] = "GroEL",
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Simulate a microscope: movies of GroEL in ice, with all that is true of them in truth.json."""
    from eucentric.microscope.simulate.settings import SimulationSettings

    settings = SimulationSettings(
        exposures=exposures,
        interval=interval,
        width=width,
        height=height,
        frames=frames,
        pixel_size=pixel_size,
        dose=dose,
        voltage=voltage,
        min_defocus=min_defocus,
        max_defocus=max_defocus,
        particles=particles,
        layout=layout.value,
        grids=tuple(_grid(each) for each in grid or []),
        movie_format=movie_format.value,
        growing=growing,
        faults=_faults(fault or []),
        metadata_delay=metadata_delay,
        missing_metadata=frozenset(no_metadata or []),
        name=name,
        seed=seed,
    )
    written = _simulate(folder.expanduser(), settings)
    if as_json:
        import json

        typer.echo(json.dumps({"folder": str(folder), "exposures": written}))
    else:
        typer.echo(f"Wrote {written} exposures to {folder}; what is true of them is in truth.json.")


def _faults(given: list[str]) -> dict[int, Any]:
    found = {}
    for each in given:
        number, _, kind = each.partition("=")
        if not number.isdecimal() or kind not in FAULTS:
            raise CommandFailed(
                f"--fault {each} is not N=KIND with the number of an exposure and one of"
                f" {', '.join(FAULTS)}; write --fault 3=empty, for example."
            )
        found[int(number)] = kind
    return found


def _grid(given: str) -> "SimulatedGrid":
    from eucentric.microscope.simulate.settings import SimulatedGrid

    name, _, rest = given.partition(":")
    values = dict(each.partition("=")[::2] for each in rest.split(",") if each)
    return SimulatedGrid.model_validate({"name": name, **values})


def _simulate(folder: Path, settings: "SimulationSettings") -> int:
    """Write the session with a progress bar; Ctrl-C ends it after the exposure that was begun."""
    import threading

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from eucentric.microscope.simulate.session import simulate_session

    stop = threading.Event()
    columns = (TextColumn("Exposures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with on_interrupt(stop.set), Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("Exposures", total=settings.exposures)
        truths = simulate_session(
            folder, settings, on_exposure=lambda _truth: progress.advance(bar), stop=stop
        )
    return len(truths)
