"""`eucentric demo`: a simulated microscope, processed live."""

from pathlib import Path
from typing import Annotated

import typer

from eucentric.cli.monitoring import MonitorOption
from eucentric.cli.run import InlineOption
from eucentric.cli.simulate import LayoutName
from eucentric.cli.sites import JsonOption


def command(
    exposures: Annotated[int, typer.Option(help="Number of exposures.", min=1)] = 16,
    size: Annotated[int, typer.Option(help="Rows and columns of a frame [px].", min=256)] = 1024,
    frames: Annotated[int, typer.Option(help="Frames of a movie.", min=3)] = 16,
    interval: Annotated[float, typer.Option(help="Time from one exposure to the next [s].", min=0)] = 4,
    layout: Annotated[
        LayoutName, typer.Option(help="Whose way of naming files, and whose metadata.")
    ] = LayoutName.EPU,
    site: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep all of it here; by default in a temporary folder."),
    ] = None,
    inline: InlineOption = False,
    monitor: MonitorOption = True,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save a picture of the live view (SVG).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """See it at work: a simulated session, processed live, then compared with the truth.

    A simulated microscope writes movies of GroEL from two grids, some of them bad on purpose, as EPU would.
    This site processes them and is told nothing but the diameter of the particle. It takes some two minutes
    on two cores. Ctrl-C ends it in good order.
    """
    import tempfile

    from eucentric.cli.demo_session import Demo
    from eucentric.store import Site

    folder = site.expanduser() if site else Path(tempfile.mkdtemp(prefix="eucentric-demo-"))
    demo = Demo(Site.create(folder), layout.value, exposures, size, frames, interval)
    raise typer.Exit(demo.run(inline=inline, monitor=monitor, svg=svg, as_json=as_json))
