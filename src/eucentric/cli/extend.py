"""`eucentric extend`: add runs to a living session."""

from typing import Annotated

import typer

from eucentric.cli.sending import SessionArgument, send
from eucentric.cli.sites import SiteOption


def command(
    session: SessionArgument,
    workflow: Annotated[str, typer.Argument(help="A workflow (JSON) whose runs are added.")],
    site: SiteOption = None,
) -> None:
    """Add the runs of a workflow to a session; they catch up with all past exposures.

    Their inputs may name runs that the session has.
    """
    from eucentric.engine.commands import Extend
    from eucentric.techniques.workflows import find_workflow

    runs = find_workflow(workflow).runs
    send(site, session, Extend(runs=runs), f"added {', '.join(runs)}")
